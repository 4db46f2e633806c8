"""Optimised copies of big graphs: what onnxruntime makes of one at every start, made once.

A copy is a folder with the optimised graph, its weights as the machine's kernels want them, and
a stamp that is written last. Its name says all that it depends on; one that is not whole does not
count, and is made anew. Knows no onnxruntime.

Loading a graph of 334M float32 weights took 1.8 s of processor time, 0.6 of them packing weights
and nearly all of the rest touching fresh memory for them; from a copy it took 0.7, and the weights
are pages of a file, which processes share and the system can drop.
"""

import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from embedcli.engine import processor
from embedcli.models.spec import ModelSpec

GRAPH: Final = "model.onnx"
WEIGHTS: Final = "weights"  # beside the graph
_STAMP: Final = "stamp.json"
_LONGEST: Final = 3600  # seconds that a copy may take to make
_HASHED: Final = 16_000_000  # bytes; a larger file is known by its size and time alone


def name(spec: ModelSpec, *, runtime: str, provider: str) -> str:
    """Return a name that changes with the graph, its weights, the runtime and the processor."""
    parts = [runtime, provider, processor.features(), *(_identity(file) for file in spec.files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def is_whole(copy: Path) -> bool:
    """Say whether a copy has all its files, at the sizes and with the graph that it was given."""
    try:
        told = json.loads((copy / _STAMP).read_text("utf-8"))
        return bool(told == _state(copy))
    except (OSError, ValueError):
        return False


def begin(copy: Path) -> Path:
    """Return an empty folder in which a copy can be made; those of killed processes go.

    Raises:
        OSError: it cannot be written.
    """
    part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    drop(part)
    part.mkdir(parents=True)
    for other in copy.parent.glob("*.part"):
        if not _is_in_the_making(other):
            drop(other)
    return part


def finish(part: Path, copy: Path) -> None:
    """Stamp what was made in `part`, and put it in the place of every older copy of the graph."""
    try:
        (part / _STAMP).write_text(json.dumps(_state(part)), "utf-8")
        for other in copy.parent.iterdir():
            if not _is_in_the_making(other):
                drop(other)
        part.rename(copy)
    except OSError:  # the disk is full, or another process was faster: it works without
        drop(part)


def _is_in_the_making(other: Path) -> bool:
    """Say whether a process may still be writing a folder; an old one was left by a killed one."""
    with suppress(OSError):  # gone since it was listed
        return other.suffix == ".part" and time.time() - other.stat().st_mtime < _LONGEST
    return False


def drop(copy: Path) -> None:
    """Delete a copy, or a part of one."""
    shutil.rmtree(copy, ignore_errors=True)


def has_room(copy: Path, size: int) -> bool:
    """Say whether a disk has room for the copy of a graph of `size` bytes, and as much again.

    A copy holds the weights twice, as they were and packed, and float16 as float32.
    """
    with suppress(OSError, StopIteration):
        folder = next(path for path in copy.parents if path.exists())
        return shutil.disk_usage(folder).free > 6 * size
    return False


def _state(copy: Path) -> dict[str, object]:
    sizes = {file: (copy / file).stat().st_size for file in (GRAPH, WEIGHTS)}
    return {"sizes": sizes, "graph": hashlib.sha256((copy / GRAPH).read_bytes()).hexdigest()}


def _identity(file: Path) -> str:
    """Return what tells a file from others without reading a gigabyte."""
    about = file.stat()
    if about.st_size <= _HASHED:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    return f"{file.resolve()} {about.st_size} {about.st_mtime_ns}"
