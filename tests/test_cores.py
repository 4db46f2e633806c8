"""The cores a process may use: cgroups of both versions, laid out as the kernel does."""

from pathlib import Path

import pytest

from embedcli.engine import cores


def lay_out(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/box\n", {"box/cpu.max": "100000 100000\n"}, 1),
        ("0::/box\n", {"box/cpu.max": "50000 100000\n"}, 1),
        ("0::/outer/box\n", {"outer/cpu.max": "100000 100000", "outer/box/cpu.max": "max 1"}, 1),
        ("0::/not/mounted/here\n", {"cpu.max": "100000 100000\n"}, 1),
        (
            "3:cpu,cpuacct:/box\n2:memory:/box\n",
            {
                "cpu,cpuacct/box/cpu.cfs_quota_us": "100000\n",
                "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
    ],
)
def test_a_quota_lowers_the_cores(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    lay_out(tmp_path, {**{f"cgroup/{name}": text for name, text in files.items()}})
    lay_out(tmp_path, {"own": membership})
    assert cores.allowed(cgroups=tmp_path / "cgroup", own=tmp_path / "own") == expected


@pytest.mark.parametrize("quota", ["max 100000", "", "nonsense", "100000 0", "900000000 100000"])
def test_no_quota_leaves_what_affinity_allows(tmp_path: Path, quota: str) -> None:
    free = cores.allowed(own=tmp_path / "missing")
    lay_out(tmp_path, {"own": "0::/\n", "cgroup/cpu.max": quota})
    assert cores.allowed(cgroups=tmp_path / "cgroup", own=tmp_path / "own") == free
