"""Opens what is written, and finishes it: whole files, closed pipes, full disks."""

import io
import os
import select
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from embedcli.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderLeft(Exception):
    """The reader of a pipe has had enough (`| head`): that ends the work, and is no error."""


@contextmanager
def sink(path: Path | None) -> Generator[BinaryIO]:
    """Lend `path` for writing, or standard output for None.

    A file appears whole or not at all. A reader that leaves early (`| head`) has had enough: the
    block ends there, without an error.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None:
        lent = _until_left(sys.stdout.buffer)
    elif is_device(path):
        lent = _device(path)
    else:
        lent = whole_file(path)
    with lent as file:
        yield file


def is_device(path: Path) -> bool:
    """Whether `path` is something that cannot be replaced by a file: a pipe, `/dev/null`, ..."""
    with writing(path):
        there = path.exists()
    return there and not path.is_file() and not path.is_dir()


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Say which file it was that cannot be written.

    Raises:
        OutputError: in place of whatever the file system raised.
    """
    try:
        yield
    except OSError as error:
        raise _unwritten(f"`{path}`", error) from error


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """Lend a file beside `path`, and rename it to `path` once the block has ended well.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        with suppress(OSError):  # a name too long to be opened is too long here, too
            part.unlink(missing_ok=True)


@contextmanager
def _device(path: Path) -> Generator[BinaryIO]:
    with writing(path):
        raw = path.open("wb", buffering=0)
    with raw, _until_left(io.BufferedWriter(_Guarded(raw, f"`{path}`"))) as file:
        yield file


@contextmanager
def _until_left(file: BinaryIO) -> Generator[BinaryIO]:
    with suppress(ReaderLeft):
        yield file
        file.flush()


def take_over() -> None:
    """Make the standard streams of this process tell their errors from those of other files.

    Words for people must never stop the work, so standard error has none. A stream that is closed
    stays so, but no other file gets its number: a model would be read as if it were texts.
    """
    for descriptor, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            os.open(os.devnull, os.O_RDONLY if descriptor else os.O_WRONLY)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = _taken(sys.stdout, 1, "standard output")
    sys.stderr = _taken(sys.stderr, 2, None)


def _taken(stream: TextIO | None, descriptor: int, name: str | None) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        closed = io.FileIO(descriptor, "wb", closefd=False)
        return io.TextIOWrapper(io.BufferedWriter(_Guarded(closed, name)), "utf-8")
    at_once = stream.write_through  # `python -u`, where no buffer lies between
    raw = stream.buffer if at_once else stream.buffer.raw
    return io.TextIOWrapper(
        io.BufferedWriter(_Guarded(raw, name)),
        stream.encoding,
        stream.errors,
        line_buffering=stream.line_buffering or at_once,
    )


class _Guarded(io.RawIOBase):
    """A stream with errors of its own; nothing is written any more after the first."""

    def __init__(self, raw: io.RawIOBase, name: str | None) -> None:
        """Guard `raw`; None as its name says that nobody needs to know of its errors."""
        self._raw = raw
        self._name = name
        self._broken = False

    def write(self, data: "ReadableBuffer") -> int:
        try:
            if not self._broken:
                return self._written(data)
        except OSError as error:
            self._broken = True
            if self._name is not None:
                if isinstance(error, BrokenPipeError):
                    raise ReaderLeft from error
                raise _unwritten(self._name, error) from error
        return memoryview(data).nbytes

    def _written(self, data: "ReadableBuffer") -> int:
        while (written := self._raw.write(data)) is None:  # full, and set not to wait
            select.select([], [self._raw], [])
        return written

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


def _unwritten(name: str, error: OSError) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write {name}: {reason}")
