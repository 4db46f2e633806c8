"""The safetensors format: a small JSON header, then raw little-endian arrays.

    8 bytes  little-endian length of the header
    header   JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
    data     the arrays, at those offsets after the header

https://huggingface.co/docs/safetensors/index#format
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from embedcli.errors import ModelError

_LONGEST_HEADER: Final = 100_000_000  # bytes; the format's own bound
_DTYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read every array of a file, as float32.

    Raises:
        ModelError: the file is missing, damaged, or holds arrays that are not floats.
    """
    try:
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        if not 2 <= length <= min(_LONGEST_HEADER, len(data) - 8):
            raise ValueError("its header is cut")
        header = json.loads(data[8 : 8 + length])
        body = memoryview(data)[8 + length :]
        return {
            name: _array(body, entry) for name, entry in header.items() if name != "__metadata__"
        }
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"`{path}` is damaged: {error}", hint="delete it and fetch it anew"
        ) from error


def _array(body: memoryview, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return one array as float32; bfloat16 is the upper half of a float32's bits."""
    dtype, (start, stop) = entry["dtype"], entry["data_offsets"]
    if dtype not in _DTYPES:
        raise ValueError(f"arrays of {dtype} are not weights of a layer")
    if not 0 <= start <= stop <= len(body):
        raise ValueError("an array lies outside the file")
    raw = np.frombuffer(body[start:stop], dtype=_DTYPES[dtype]).reshape(entry["shape"])
    if dtype == "BF16":
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    floats: NDArray[np.float32] = raw.astype(np.float32)
    return floats
