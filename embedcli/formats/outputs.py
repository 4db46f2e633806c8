"""Which writer an output gets, by its name or as asked for, and compression around it."""

from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Protocol

from embedcli.errors import UsageError
from embedcli.formats.record import Row
from embedcli.formats.shape import Shape

JSONL, NPY, PARQUET = FORMATS = ("jsonl", "npy", "parquet")
_ENDINGS = {".jsonl": JSONL, ".ndjson": JSONL, ".npy": NPY, ".parquet": PARQUET, ".pq": PARQUET}
_COMPRESSIONS = ("gz", "bz2", "xz", "zst")
_FRAME = 1 << 18  # bytes that are compressed at once: what a killed run may have to do again


class Writer(Protocol):
    """Rows to the bytes of a partial file, which may be cut off behind any of the parts.

    The parts depend on the rows only, never on when they came.
    """

    @property
    def head(self) -> bytes:
        """What the file begins with."""

    @property
    def held(self) -> int:
        """How many rows have been added that no part holds yet."""

    def add(self, row: Row) -> bytes:
        """Return the next part, which may be empty."""

    def close(self) -> bytes:
        """Return the last part, with all rows that are held."""

    def finish(self, partial: Path, rows: int) -> Path:
        """Return the finished file: `partial`, or one beside it."""


def kind_of(name: str | None, asked: str | None) -> str:
    """Return FORMAT[.COMPRESSION] of the output `name`, None being standard output.

    Raises:
        UsageError: there is no such format, or it cannot go through a pipe.
    """
    kind = asked.lower() if asked else _by_name(name) if name else JSONL
    form, dot, compression = kind.partition(".")
    if form not in FORMATS or (dot and (form != JSONL or compression not in _COMPRESSIONS)):
        raise UsageError(
            f"`--format {kind}` is none of {', '.join(FORMATS)}",
            hint=f"JSONL may be compressed: jsonl.gz ({', '.join(_COMPRESSIONS)})",
        )
    if name is None and kind != JSONL:
        raise UsageError(f"`--format {kind}` needs a file to go to", hint=f"-o OUT.{kind}")
    return kind


def _by_name(name: str) -> str:
    endings = [ending.lower() for ending in PurePath(name).suffixes]
    compression = endings.pop() if endings and endings[-1][1:] in _COMPRESSIONS else ""
    form = _ENDINGS.get(endings[-1]) if endings else None
    if form is None:
        raise UsageError(
            f"`{name}` does not say its format: it ends in none of {', '.join(_ENDINGS)}",
            hint="name the format: -f jsonl",
        )
    return form + compression


def writer(kind: str, shape: Shape, dimensions: int, *, dtype: str) -> Writer:
    """Return the writer of FORMAT[.COMPRESSION]."""
    form, _, compression = kind.partition(".")
    if form == NPY:
        from embedcli.formats import npy

        return npy.Writer(dimensions, dtype=dtype)
    if form == PARQUET:
        from embedcli.formats import parquet

        return parquet.Writer(shape, dimensions, dtype=dtype)
    from embedcli.formats import jsonl

    lines = jsonl.Writer(shape, dtype=dtype)
    return _Frames(lines, _compressor(compression)) if compression else lines


class _Frames:
    """What another writer gives, compressed in frames that can each be cut off behind."""

    head = b""

    def __init__(self, inner: Writer, compress: Callable[[bytes], bytes]) -> None:
        self._inner = inner
        self._compress = compress
        self._parts: list[bytes] = []
        self._size = 0
        self.held = 0

    def add(self, row: Row) -> bytes:
        part = self._inner.add(row)
        self._parts.append(part)
        self._size += len(part)
        self.held += 1
        return self.close() if self._size >= _FRAME else b""

    def close(self) -> bytes:
        plain = b"".join(self._parts)
        self._parts, self._size, self.held = [], 0, 0
        return self._compress(plain) if plain else b""

    def finish(self, partial: Path, rows: int) -> Path:
        if not rows:  # nothing is no valid file
            partial.write_bytes(self._compress(b""))
        return self._inner.finish(partial, rows)


def _compressor(compression: str) -> Callable[[bytes], bytes]:
    if compression == "gz":
        import gzip

        return lambda plain: gzip.compress(plain, 6, mtime=0)
    if compression == "bz2":
        import bz2

        return bz2.compress
    if compression == "xz":
        import lzma

        return lzma.compress
    from embedcli.formats.sources import zstandard

    return lambda plain: bytes(zstandard().ZstdCompressor().compress(plain))
