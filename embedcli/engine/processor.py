"""What this machine's processor can do, as far as onnxruntime's choice of kernels hangs on it."""

import hashlib
import platform
from contextlib import suppress
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def features() -> str:
    """Return a short name for its instructions: a hash of Linux's flags, or what else is told."""
    with suppress(OSError):
        for line in _CPUINFO.read_text("utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                digest = hashlib.blake2b(line.encode(), digest_size=8).hexdigest()
                return f"{platform.machine()}, {digest}"
    return f"{platform.machine()}, {platform.processor()}"
