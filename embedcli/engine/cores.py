"""How many cores this process may really use: its CPU affinity and its container's quota."""

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def allowed(*, cgroups: Path = _CGROUPS, own: Path = _OWN) -> int:
    """Return the cores that affinity and cgroup quota leave to this process, at least 1.

    A quota of 1.5 cores counts as 2: the rest of the second is better used than left.
    `cgroups` is where the cgroup file systems are mounted, `own` the process's membership
    (https://docs.kernel.org/admin-guide/cgroup-v2.html, `cpu.max`; v1: `cpu.cfs_quota_us`).
    """
    try:
        present = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        present = os.cpu_count() or 1
    return max(1, min([present, *_quotas(cgroups, own)]))


def _quotas(cgroups: Path, own: Path) -> list[int]:
    """Return the quota of every cgroup between the process and the root that sets one."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = cgroups / controllers if controllers else cgroups
        inside = mount / path.lstrip("/")
        # Inside a container the path is often the host's: what is mounted then is the root.
        for folder in [inside, *inside.parents]:
            if folder == cgroups.parent:
                break
            found += _quota(folder)
    return found


def _quota(folder: Path) -> list[int]:
    """Return the cores that the cgroup at `folder` grants, or nothing where it sets no quota."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return [] if quota in ("max", "-1") else [math.ceil(int(quota) / int(period))]
    except (OSError, ValueError, ZeroDivisionError):
        return []
