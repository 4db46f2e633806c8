"""JSON Lines: an object a line, whose fields are kept as they were spelled.

What is added comes behind the caller's fields, in this order: `chunk`, `start`, `end` where long
texts are cut into windows, then `tokens`, `truncated` and `embedding`. Lines without anything on
them are no records. Numbers have the fewest digits that read back to the same float32.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from embedcli.errors import InputError
from embedcli.formats import objects
from embedcli.formats.fields import Selection
from embedcli.formats.lines import not_utf8
from embedcli.formats.record import TEXT, Record, Reject, Row
from embedcli.formats.shape import Members, Shape, receipts
from embedcli.formats.sources import Source, pieces
from embedcli.records import Embedded, Vector


def read(source: Source, selection: Selection) -> Iterator[Record | Reject]:
    """Yield the objects of `source`, with the text that `selection` finds in each."""
    for line, (piece, position) in enumerate(pieces(source), start=1):
        raw = piece.strip()
        if not raw:
            continue
        try:
            fields = _parsed(raw)
            text = selection.text(fields)
        except InputError as error:
            yield Reject(source.name, line, position, str(error), raw, _hint(source, line, raw))
            continue
        yield Record(text, source.name, line, position, raw, tuple(fields))


def _hint(source: Source, line: int, raw: bytes) -> str:
    """Say how an array becomes lines, where the file begins as one."""
    array = line == 1 and raw.startswith(b"[")
    return f"jq -c '.[]' {source.name}  # makes lines of an array" if array else ""


def _parsed(raw: bytes) -> dict[str, object]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InputError(_reason(raw, error)) from error
    if not isinstance(value, dict):
        raise InputError("not a JSON object")
    return value


def _reason(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as bad:
        return not_utf8(bad)
    return f"not JSON: {error.msg} at character {error.pos + 1}"


def write(file: BinaryIO, rows: Iterable[tuple[str, Embedded]]) -> None:
    """Write a line for each text and its vector, at once."""
    for text, embedded in rows:
        members = objects.opened(orjson.dumps({TEXT: text})) + receipts(embedded)
        file.write(_line(members, embedded.vector))
        file.flush()


class Writer:
    """Rows to lines; a line can be cut off behind any other."""

    head = b""
    held = 0

    def __init__(self, shape: Shape, *, dtype: str) -> None:
        self._members = Members(shape)
        self._dtype = np.dtype(dtype)

    def add(self, row: Row) -> bytes:
        """Return the line of `row`.

        Raises:
            InputError: a field of the caller's has the name of one of ours.
        """
        vector = row.embedded.vector.astype(self._dtype, copy=False)
        return _line(self._members.of(row), vector)

    def close(self) -> bytes:
        """Return what ends the file: nothing."""
        return b""

    def finish(self, partial: Path, rows: int) -> Path:  # noqa: ARG002
        """Return the finished file: the partial one is."""
        return partial


def _line(members: bytes, vector: Vector | NDArray[np.float16]) -> bytes:
    numbers = orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)
    return members + b',"embedding":' + numbers + b"}\n"
