"""Opens what is read: a file or standard input, plain or compressed; knows bytes, no records."""

import bz2
import gzip
import io
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from pathlib import PurePath
from types import ModuleType

from embedcli.errors import InputError, UsageError

_READ = 1 << 16  # bytes at a time
_MARK = b"\xef\xbb\xbf"  # UTF-8's for the order of bytes, which it does not need
_BEGINNINGS = (b"\xef", b"\xef\xbb", b"\xff", b"\xfe")  # of such marks, or of something else
LONGEST = 1 << 28  # bytes of one record: a file without separators must not fill the memory


@dataclass(slots=True)
class Source:
    """An open input: its name as typed, its bytes decompressed, and how far it has been read."""

    name: str  # as typed, bytes that are no UTF-8 replaced; `stdin` for `-`
    file: BufferedIOBase
    raw: BufferedReader  # as it lies on disk
    size: int | None  # bytes on disk; None for a pipe
    consumed: int = 0  # bytes, decompressed

    def read(self, size: int = _READ) -> bytes:
        """Return up to `size` bytes as soon as there are any; none at the end.

        Raises:
            InputError: the file cannot be read, or is damaged.
        """
        with reading(self.name):
            chunk = self.file.read1(size)
        self.consumed += len(chunk)
        return chunk

    def position(self, used: int) -> int:
        """Return the place on disk that `used` of the decompressed bytes reach to."""
        if self.size is None or not self.consumed or self.raw is self.file:
            return used
        return self.raw.tell() * used // self.consumed


@contextmanager
def opened(name: str, compression: str | None) -> Generator[Source, None, None]:
    """Lend the file `name`, or standard input for `-`, decompressed.

    Raises:
        InputError: it cannot be read.
        UsageError: its compression needs a package that is not installed.
    """
    with reading(name):
        raw = open(0, "rb", closefd=False) if name == "-" else open(name, "rb")  # noqa: PTH123, SIM115
    with raw:
        status = os.fstat(raw.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        said = "stdin" if name == "-" else os.fsencode(name).decode("utf-8", "replace")
        yield Source(said, _DECOMPRESSED[compression](raw), raw, size)


@contextmanager
def reading(name: str) -> Generator[None, None, None]:
    """Say which file it was that could not be read.

    Raises:
        InputError: in place of whatever the file system or the decompressor raised.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read `{name}`: {reason}") from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"cannot read `{name}`: its compression is damaged: {error}") from error


def pieces(source: Source, separator: bytes = b"\n") -> Iterator[tuple[bytes, int]]:
    """Yield what stands between separators, each with the place on disk that its end has.

    Nothing after the last separator is no piece. A UTF-8 byte order mark at the start is dropped.

    Raises:
        InputError: the file cannot be read, is UTF-16, or has a piece of more than 256 MiB.
    """
    held: list[bytes] = []  # the beginning of a piece that has not ended
    size = used = 0
    chunk = without_mark(source)
    while chunk:
        *ends, rest = chunk.split(separator)
        for end in ends:
            piece = b"".join([*held, end]) if held else end
            held, size = [], 0
            used += len(piece) + len(separator)
            yield piece, source.position(used)
        held.append(rest)
        size += len(rest)
        if size > LONGEST:
            raise InputError(f"cannot read `{source.name}`: a record has more than 256 MiB")
        chunk = source.read()
    if size:
        yield b"".join(held), source.position(used + size)


def without_mark(source: Source) -> bytes:
    """Return the first bytes of `source`, less a UTF-8 byte order mark."""
    start = source.read()
    while start in _BEGINNINGS and (more := source.read()):
        start += more
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(
            f"cannot read `{source.name}`: it is UTF-16, not UTF-8",
            hint=f"iconv -f UTF-16 -t UTF-8 {source.name}",
        )
    return start.removeprefix(_MARK)


def zstandard() -> ModuleType:
    """Return the package that knows zst.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import zstandard
    except ModuleNotFoundError as error:
        raise UsageError(
            "zst needs the package zstandard, which is not installed",
            hint="pip install 'embedcli[zst]'",
        ) from error
    return zstandard


class _Frames(io.RawIOBase):
    """Zstandard frames, one after another, decompressed.

    The package's own reader takes a file that breaks off for one that ends.
    """

    def __init__(self, raw: BufferedReader) -> None:
        zst = zstandard()
        self._raw = raw
        self._new = zst.ZstdDecompressor(max_window_size=1 << 31).decompressobj
        self._error = zst.ZstdError
        self._frame = self._new()
        self._begun = False
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer will do
        while not self._ready and self._fill():
            pass
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def _fill(self) -> bool:
        """Decompress a little more; False at the end."""
        data = self._frame.unused_data if self._frame.eof else b""
        data = data or self._raw.read(1 << 12)
        if not data:
            if self._begun and not self._frame.eof:
                raise EOFError("the file ends before its last frame does")
            return False
        if self._frame.eof:
            self._frame = self._new()
        self._begun = True
        try:
            self._ready = memoryview(self._frame.decompress(data))
        except self._error as error:
            raise EOFError(str(error)) from error
        return True


_DECOMPRESSED: dict[str | None, Callable[[BufferedReader], BufferedIOBase]] = {
    None: lambda raw: raw,
    "gz": lambda raw: gzip.GzipFile(fileobj=raw, mode="rb"),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": lambda raw: BufferedReader(_Frames(raw)),
}
COMPRESSIONS = tuple(name for name in _DECOMPRESSED if name)


def endings(name: str) -> tuple[str, str | None]:
    """Return the ending of the file `name`, `.jsonl` of `a.jsonl.gz`, and its compression."""
    found = ["", *(ending.lower() for ending in PurePath(name).suffixes)]
    compression = found.pop()[1:] if found[-1][1:] in COMPRESSIONS else None
    return found[-1], compression
