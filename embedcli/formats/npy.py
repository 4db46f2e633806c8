"""NumPy's own format: vectors as an array (N, D) float32, C order.

The file is a header that holds N and D, then the rows
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
"""

import shutil
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

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
        header = {"descr": "<f4", "fortran_order": False, "shape": (number, dimensions)}
        np.lib.format.write_array_header_1_0(file, header)
        aside.seek(0)
        shutil.copyfileobj(aside, file)
