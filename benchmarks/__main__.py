"""Run every benchmark, and write what it found to benchmarks/RESULTS.md.

    python -m benchmarks                  all of them, into the file
    python -m benchmarks engine similar   some, onto the terminal

Each runs in a process of its own, so that none inherits another's threads and memory.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.pairs import table
from embedcli import __version__
from embedcli.engine import cores

# A module, and its functions that return a table; what measures little comes first.
TABLES: Final[dict[str, Sequence[str]]] = {
    "startup": ["run"],
    "engine": ["run"],
    "int8": ["run"],
    "similar": ["run"],
    "models": ["run_dynamic", "run_starts"],
    "file": ["speed", "memory"],
    "serve": ["run"],
}
RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_PACKAGES: Final = ("onnxruntime", "numpy", "tokenizers", "orjson", "pyarrow", "typer")
_BUSY: Final = 0.5  # others' load, from which on a machine is not quiet


def machine() -> str:
    """Return the table of what the figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    rows = [
        ["processor", f"{_processor()}, {cores.allowed()} of {os.cpu_count()} cores"],
        ["system", f"{platform.platform()}, Python {platform.python_version()}"],
        ["packages", f"embedcli {__version__}, {packages}"],
        ["load before", _load()],
    ]
    return table(["machine", time.strftime("%Y-%m-%d")], rows)


def _processor() -> str:
    """Return the name of the processor, with the instructions that matter to matrix products."""
    try:
        facts = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    known = {key.strip(): value.strip() for key, _, value in (row.partition(":") for row in facts)}
    wide = {"avx2", "avx512f", "avx512_vnni", "amx_int8", "asimd", "sve"}
    flags = wide & set(known.get("flags", known.get("Features", "")).split())
    return f"{known.get('model name', platform.machine())} ({', '.join(sorted(flags))})"


def _load() -> str:
    if not hasattr(os, "getloadavg"):  # Windows
        return "unknown"
    load = os.getloadavg()[0]
    return f"{load:.2f}" + (": others were at work, so take no figure from here" * (load > _BUSY))


def section(module: str) -> str:
    """Run one module's benchmarks; return their tables under what the module says of itself."""
    wanted = "; ".join(f"print({module}.{function}(), end='\\n\\n')" for function in TABLES[module])
    program = f"from benchmarks import {module}; print({module}.__doc__); {wanted}"
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    print(f"{module}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return f"## {module}\n\n{done.stdout.decode().strip()}\n"


def main(names: Sequence[str]) -> None:
    """Run the benchmarks of these names, or all."""
    if names:
        print(*map(section, names), sep="\n")
        return
    about = machine()  # before the load is our own
    begun = time.monotonic()
    sections = [section(name) for name in TABLES]
    head = (
        "# Benchmarks\n\nWritten by `python -m benchmarks`. What counts is the ratio within one "
        "run: both sides of it\nwere measured in turn, on the same machine, in the same minutes.\n"
    )
    took = f"All of it took {(time.monotonic() - begun) / 60:.0f} minutes.\n"
    RESULTS.write_text("\n".join([head, about + "\n", *sections, took]), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
