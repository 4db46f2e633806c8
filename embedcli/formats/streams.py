"""Opens what is written, and finishes it: whole files, closed pipes, full disks."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from embedcli.errors import OutputError


@contextmanager
def sink(path: Path | None) -> Generator[BinaryIO]:
    """Lend `path` for writing, or standard output for None.

    A file appears whole or not at all. A reader that leaves early (`| head`) has had enough: the
    block ends there, without an error.

    Raises:
        OutputError: it cannot be written.
    """
    if path is None:
        lent = _pipe(sys.stdout.buffer, "standard output")
    elif is_device(path):
        lent = _pipe(path.open("wb"), str(path))
    else:
        lent = whole_file(path)
    with lent as file:
        yield file


def is_device(path: Path) -> bool:
    """Whether `path` is something that cannot be replaced by a file: a pipe, `/dev/null`, ..."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """Lend a file beside `path`, and rename it to `path` once the block has ended well.

    Raises:
        OutputError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write `{path}`: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _pipe(file: BinaryIO, name: str) -> Generator[BinaryIO]:
    try:
        yield file
        file.flush()
    except BrokenPipeError:
        _abandon(file)
    except OSError as error:
        _abandon(file)
        raise OutputError(f"cannot write to {name}: {error.strerror}") from error


def _abandon(file: BinaryIO) -> None:
    """Point `file` at nothing: Python flushes what is left in it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
