"""NumPy's own format: vectors as an array (N, D) float32 or float16, C order.

The file is a header that holds N and D, then the rows
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
"""

import io
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from embedcli.formats.record import Row
from embedcli.records import Embedded

_IN_MEMORY = 64_000_000  # bytes of rows; more of them wait for their number in a file


def write(file: BinaryIO, rows: Iterable[Embedded], *, dimensions: int) -> None:
    """Write the vectors of `rows`, each of `dimensions` values, to a file or a pipe.

    Their number comes first in the file but is known last, so the rows wait aside till then.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as aside:
        number = 0
        for row in rows:
            aside.write(row.vector.astype("<f4", copy=False).tobytes())
            number += 1
        file.write(_header(number, dimensions, "<f4"))
        aside.seek(0)
        shutil.copyfileobj(aside, file)


class Writer:
    """Rows to the file's own rows; N is put into the header at the end."""

    held = 0

    def __init__(self, dimensions: int, *, dtype: str) -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._dimensions = dimensions
        self.head = _header(0, dimensions, self._dtype.str)

    def add(self, row: Row) -> bytes:
        """Return the bytes of a row's vector."""
        return row.embedded.vector.astype(self._dtype, copy=False).tobytes()

    def close(self) -> bytes:
        """Return what ends the file: nothing."""
        return b""

    def finish(self, partial: Path, rows: int) -> Path:
        """Put N into the header, and return the finished file."""
        with partial.open("r+b") as file:
            file.write(_header(rows, self._dimensions, self._dtype.str))
            file.flush()
            os.fsync(file.fileno())
        return partial


def _header(rows: int, dimensions: int, kind: str) -> bytes:
    """Return the header; NumPy leaves room in it for N to grow, so it is always as long."""
    header = io.BytesIO()
    fields = {"descr": kind, "fortran_order": False, "shape": (rows, dimensions)}
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()
