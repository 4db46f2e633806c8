"""Whole files: each is one text."""

from collections.abc import Iterator

import orjson

from embedcli.errors import InputError
from embedcli.formats.lines import not_utf8
from embedcli.formats.record import TEXT, Record, Reject
from embedcli.formats.sources import LONGEST, Source, without_mark


def read(source: Source) -> Iterator[Record | Reject]:
    """Yield all of `source` as one record, with its path.

    Raises:
        InputError: it has more than 256 MiB, or is UTF-16.
    """
    parts = [without_mark(source)]
    while chunk := source.read():
        parts.append(chunk)
        if source.consumed > LONGEST:
            raise InputError(f"cannot read `{source.name}` as one text: it has more than 256 MiB")
    raw = b"".join(parts)
    position = source.position(source.consumed)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Reject(source.name, 1, position, not_utf8(error), raw)
        return
    fields = {"path": source.name, TEXT: text}
    yield Record(text, source.name, 1, position, orjson.dumps(fields), tuple(fields))
