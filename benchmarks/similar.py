"""How fast stored vectors are ranked, and what a second query against the same file costs.

Run as `python -m benchmarks.similar`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command has it, before NumPy loads

import numpy as np

from benchmarks.corpus import paragraphs
from benchmarks.pairs import table
from embedcli import similar
from embedcli.engine import cores
from embedcli.engine.pooling import unit

_WIDTH = 384
_BLOCK = 8192  # rows


def run(rows: int = 1_000_000, lines: int = 10_000, rounds: int = 5) -> str:
    """Return the table: ratios of runs that alternate."""
    with tempfile.TemporaryDirectory() as folder:
        ranked = _ranking(Path(folder) / "vectors.npy", rows, rounds)
        first, second = _queries(Path(folder), lines)
    return table(
        ["`embed similar`", "ratio"],
        [
            [f"top 10 of {rows:,} stored vectors, reading them once = 1", f"{ranked:.2f}"],
            [f"second query against {lines:,} lines, the first = 1", f"{second / first:.3f}"],
        ],
    )


def _ranking(path: Path, rows: int, rounds: int) -> float:
    """Return the time to rank a file, against adding up its numbers once through NumPy's mmap."""
    random = np.random.default_rng(0)
    array = np.lib.format.open_memmap(path, "w+", np.float32, (rows, _WIDTH))
    for start in range(0, rows, _BLOCK):
        block = array[start : start + _BLOCK]
        block[:] = unit(random.standard_normal(block.shape, dtype=np.float32))
    array.flush()
    query = np.array(array[rows // 2])

    def read() -> None:
        mapped = np.load(path, mmap_mode="r")
        for start in range(0, rows, _BLOCK):
            mapped[start : start + _BLOCK].sum()

    def rank() -> None:
        mapped = np.load(path, mmap_mode="r")
        similar.rank(query, mapped, top=10, unit=True, threads=cores.allowed())

    read()
    return statistics.median(_seconds(rank) / _seconds(read) for _ in range(rounds))


def _queries(folder: Path, lines: int) -> tuple[float, float]:
    """Return the seconds of a first query and of a second, as processes."""
    texts = paragraphs(lines)
    texts += [f"{text} {number}" for number, text in enumerate(texts[: lines - len(texts)])]
    (folder / "lines.txt").write_text("".join(f"{text[:60]}\n" for text in texts), "utf-8")

    root = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "EMBED_CACHE": str(folder / "cache")}

    def ask() -> None:
        command = [sys.executable, "-m", "embedcli", "similar", "a query", "--in", "lines.txt"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)

    return _seconds(ask), statistics.median(_seconds(ask) for _ in range(3))


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(run())
