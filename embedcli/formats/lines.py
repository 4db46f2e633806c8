r"""Plain text, a record a line, or a record between NULs.

A blank line is a text like any other, so that row i is line i. Line ends are `\n` or `\r\n`.
"""

from collections.abc import Iterator

import orjson

from embedcli.formats.record import TEXT, Record, Reject
from embedcli.formats.sources import Source, pieces


def read(source: Source, *, nul: bool = False) -> Iterator[Record | Reject]:
    """Yield the lines of `source`, or what stands between NULs."""
    for line, (piece, position) in enumerate(pieces(source, b"\0" if nul else b"\n"), start=1):
        raw = piece if nul else piece.removesuffix(b"\r")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Reject(source.name, line, position, not_utf8(error), raw)
            continue
        fields = b'{"%s":%s}' % (TEXT.encode(), orjson.dumps(text))
        yield Record(text, source.name, line, position, fields, (TEXT,))


def not_utf8(error: UnicodeDecodeError) -> str:
    """Say why bytes are not UTF-8."""
    return f"not UTF-8: {error.reason} at byte {error.start + 1}"
