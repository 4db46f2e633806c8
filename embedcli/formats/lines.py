"""Texts as lines: one a line, or one a NUL."""

from collections.abc import Iterator
from typing import BinaryIO

from embedcli.errors import InputError

_CHUNK = 1 << 18  # bytes


def read(source: BinaryIO, name: str, *, separator: bytes = b"\n") -> Iterator[str]:
    """Yield the texts of `source`, each as soon as it is complete; `name` is for errors.

    A missing last separator is forgiven, CRLF counts as LF, and an empty line is a text.

    Raises:
        InputError: a line is not UTF-8, or `source` cannot be read.
    """
    for number, line in enumerate(_pieces(source, name, separator), 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name}:{number}: not UTF-8: {error.reason} at byte {error.start + 1}",
                hint="convert the text to UTF-8 first, for instance with iconv",
            ) from error


def _pieces(source: BinaryIO, name: str, separator: bytes) -> Iterator[bytes]:
    """Yield the bytes between separators, however long they are."""
    started: list[bytes] = []  # of a piece whose end has not come yet
    while chunk := _read(source, name):
        first, *rest = chunk.split(separator)
        started.append(first)
        for piece in rest:
            yield _without_return(b"".join(started), separator)
            started = [piece]
    last = b"".join(started)
    if last:
        yield last


def _without_return(piece: bytes, separator: bytes) -> bytes:
    return piece.removesuffix(b"\r") if separator == b"\n" else piece


def _read(source: BinaryIO, name: str) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from error
