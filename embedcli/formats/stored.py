"""Vectors that `embed file` stored, read back: JSONL or Parquet with an `embedding`, and NPY.

Every row has the width of the first, every number is finite or told by its place, and what made
the vectors is read from the `.meta.json` beside them. An array never runs code: no pickles.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from embedcli.errors import InputError
from embedcli.formats import inputs, sources
from embedcli.formats.inputs import JSONL, PARQUET, Reading
from embedcli.formats.record import Record, Reject
from embedcli.records import Vector, Vectors

FIELD = "embedding"


def is_array(name: str) -> bool:
    """Say whether `name` is an NPY file."""
    return Path(name).suffix.lower() == ".npy"


def holds_vectors(name: str, reading: Reading) -> bool:
    """Say whether the records of `name` have vectors: the first one tells.

    Raises:
        InputError: it cannot be read.
    """
    if name == "-" or inputs.kind_of(name, reading)[0] not in (JSONL, PARQUET):
        return False
    first = next(inputs.read([name], _without_text(reading)), None)
    return isinstance(first, Record) and FIELD in first.names


def made_by(name: str) -> Mapping[str, object] | None:
    """Return what the `.meta.json` beside `name` says; None where there is none to be read."""
    with suppress(OSError, ValueError):
        facts = json.loads(Path(f"{name}.meta.json").read_text("utf-8"))
        if isinstance(facts, dict):
            return facts
    return None


def array(name: str) -> Vectors:
    """Return the vectors (N, D) of an NPY file, mapped into memory and not yet read.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    with sources.reading(name):
        try:
            shape, dtype = _header(name)
            # Looked at first: to map values of no width, such as `<U0`, ends the whole process.
            if len(shape) == 2 and dtype.kind == "f":
                return np.lib.format.open_memmap(name, mode="r")
        except OSError:
            raise
        except Exception as error:  # the header is parsed as Python, and raises whatever that does
            reason = str(error).partition("\n")[0]
            raise InputError(f"cannot read `{name}`: no NPY file, or damaged: {reason}") from error
    raise InputError(
        f"`{name}` holds no vectors: it is an array {shape} of {dtype}",
        hint="an array of vectors has two dimensions, and numbers of floating point",
    )


def _header(name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with Path(name).open("rb") as file:
        first = np.lib.format.read_magic(file) == (1, 0)
        layout = np.lib.format
        read = layout.read_array_header_1_0 if first else layout.read_array_header_2_0
        shape, _, dtype = read(file)
        return shape, dtype


def rows(name: str, reading: Reading) -> Iterator[tuple[Record, Vector]]:
    """Yield the records of a file with their vectors (D,) float32.

    Raises:
        InputError: a record cannot be read, or its vector is missing or not like the first.
    """
    width = 0
    for record in inputs.read([name], _without_text(reading)):
        if isinstance(record, Reject):
            raise record.error("make the file anew with `embed file`")
        vector = _vector(record)
        width = width or len(vector)
        if vector.shape != (width,) or not np.isfinite(vector).all():
            what = "NaN or infinity" if vector.shape == (width,) else f"not {width} numbers"
            raise InputError(f"{name}:{record.line}: the `{FIELD}` holds {what}")
        yield record, vector


def _without_text(reading: Reading) -> Reading:
    """Return how to read records whose text may have been left out."""
    return replace(reading, field=None, template="")


def _vector(record: Record) -> Vector:
    try:
        if isinstance(record.fields, bytes):
            with np.errstate(over="ignore"):  # infinity is refused with its place
                vector = np.array(orjson.loads(record.fields)[FIELD], dtype=np.float32)
        else:
            vector = record.fields.vector(FIELD)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _no_vector(record) from error
    if vector.ndim != 1:
        raise _no_vector(record)
    return vector


def _no_vector(record: Record) -> InputError:
    return InputError(f"{record.source}:{record.line}: the `{FIELD}` is missing, or is no vector")
