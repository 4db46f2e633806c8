"""JSON Lines: an object a text, its vector last.

Numbers are float32 in the fewest digits that read back to the same bits.
"""

from collections.abc import Iterable
from typing import BinaryIO

import orjson

from embedcli.records import Embedded


def write(file: BinaryIO, rows: Iterable[tuple[str, Embedded]]) -> None:
    """Write a line for each text and its vector, at once."""
    for text, embedded in rows:
        row = {
            "text": text,
            "tokens": embedded.tokens,
            "truncated": embedded.truncated,
            "embedding": embedded.vector,
        }
        file.write(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
        file.flush()
