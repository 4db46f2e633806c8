"""Which writer an output gets, by its name or as asked for, and compression around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from embedcli.errors import UsageError
from embedcli.formats import sources
from embedcli.formats.record import Row
from embedcli.formats.shape import Shape
from embedcli.formats.sources import COMPRESSIONS

JSONL, NPY, PARQUET = FORMATS = ("jsonl", "npy", "parquet")
_ENDINGS = {".jsonl": JSONL, ".ndjson": JSONL, ".npy": NPY, ".parquet": PARQUET, ".pq": PARQUET}
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
    ending, packed = sources.endings(name or "")
    kind = (asked or _by_ending(name, ending)).lower()
    form, dot, compression = kind.partition(".")
    if form not in FORMATS or (dot and compression not in COMPRESSIONS):
        raise UsageError(
            f"`--format {kind}` is none of {', '.join(FORMATS)}",
            hint=f"JSONL may be compressed: jsonl.gz ({', '.join(COMPRESSIONS)})",
        )
    compression = compression or packed or ""
    if compression and form != JSONL:
        raise UsageError(
            f"`--format {form}` is not compressed: only JSONL may be", hint=f"-o OUT.{form}"
        )
    if name is None and kind != JSONL:
        raise UsageError(f"`--format {kind}` needs a file to go to", hint=f"-o OUT.{kind}")
    return f"{form}.{compression}" if compression else form


def _by_ending(name: str | None, ending: str) -> str:
    if name is None:
        return JSONL
    if ending not in _ENDINGS:
        raise UsageError(
            f"`{name}` does not say its format: it ends in none of {', '.join(_ENDINGS)}",
            hint="name the format: -f jsonl",
        )
    return _ENDINGS[ending]


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
    return sources.zstandard().ZstdCompressor().compress  # type: ignore[no-any-return]  # untyped
