"""What a run leaves behind while it works, and how the next one continues it.

While OUT is being made, `OUT.partial` grows beside it, and `OUT.journal` says how much of that is
safe and what it was made from. Both are synced before they are believed. A run that was killed at
any moment is continued from its last checkpoint; OUT itself appears by rename, complete.
Knows bytes and counts, no format. A room of its own, since neither readers nor writers need it.
"""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from embedcli.errors import OutputError, UsageError

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nothing keeps two runs apart
    fcntl = None  # type: ignore[assignment]

_INTERVAL = 0.25  # seconds between checkpoints, at least
_SHARE = 50  # and so many times as long as the last one took: a slow disk is not kept busy
_LONGEST = 1 << 18  # bytes of a journal: a day of checkpoints would fill a hundred MB
_BLOCK = 1 << 16  # bytes that are written at once: each call costs other threads their turn
_KEPT = "what is done is kept: mend this, and run the same command to continue"
_SAYABLE = 40  # characters: a hash tells nobody anything


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the work has come."""

    rows: int = 0
    rejects: int = 0
    digest: str = ""  # of the records so far
    counts: Mapping[str, int | float | str] = field(default_factory=dict)  # the caller's own
    written: int = 0  # bytes of the partial file
    rejected: int = 0  # bytes of the rejects


BEGINNING = Checkpoint()


class Journal:
    """The partial work of one output, locked against other runs while it is open."""

    def __init__(
        self, out: Path, identity: Mapping[str, object], *, head: bytes, restart: bool
    ) -> None:
        """Take up the partial work for `out`, or begin it with the bytes `head`.

        Raises:
            UsageError: the partial work has another identity: other input, model or options.
            OutputError: another run is at work on `out`, or it cannot be written.
        """
        self._out = out
        self._path = _beside(out, ".journal")
        self._partial = _beside(out, ".partial")
        self._rejects = _beside(out, ".rejects.jsonl.partial")
        self.checkpoint = BEGINNING
        self._block = bytearray()  # what is not in the partial file yet
        self._since = time.monotonic()
        self._pause = _INTERVAL
        self.complete = False  # all was done but the tidying up
        with self._writing():
            self._file = _locked(self._path, out)
            self._identity = dict(identity)
            try:
                self.checkpoint = self._begin_or_continue(self._identity, head, restart=restart)
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in (self._work, self._aside):
            file.close()
        if not self.complete and self.checkpoint.rows + self.checkpoint.rejects == 0:
            for path in (self._partial, self._rejects, self._path):
                path.unlink(missing_ok=True)
        self._file.close()  # last, since its lock keeps others away

    def append(self, part: bytes) -> None:
        """Let the partial file grow by `part`, with the next block or checkpoint."""
        self._block += part
        if len(self._block) >= _BLOCK:
            with self._writing():
                self._flush()

    def reject(self, line: bytes) -> None:
        """Let the rejects grow by `line`."""
        with self._writing():
            _write(self._aside, line)

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._since >= self._pause

    def mark(self, checkpoint: Checkpoint) -> None:
        """Make the work safe up to here; `written` and `rejected` are filled in."""
        begun = time.monotonic()
        with self._writing():
            self._flush()
            os.fsync(self._work.fileno())
            if self._aside.tell() != self.checkpoint.rejected:
                os.fsync(self._aside.fileno())
            self.checkpoint = dataclasses.replace(
                checkpoint, written=self._work.tell(), rejected=self._aside.tell()
            )
            self._note(dataclasses.asdict(self.checkpoint))
            if self._file.tell() > _LONGEST:
                self._file = self._shortened()
        self._since = time.monotonic()
        self._pause = max(_INTERVAL, _SHARE * (self._since - begun))

    def publish(self, finish: Callable[[Path], Path]) -> None:
        """Rename what `finish` makes of the partial file to what it was made for."""
        with self._writing():
            self._flush()
            finished = finish(self._partial)
            self._note({"done": True})
            finished.replace(self._out)
            self.complete = True

    def tidy(self) -> None:
        """Rename the rejects, and remove what only an unfinished run or an older one needs."""
        rejects = _beside(self._out, ".rejects.jsonl")
        with self._writing():
            if not self.checkpoint.rejects:
                rejects.unlink(missing_ok=True)
            elif self._rejects.exists():
                self._rejects.replace(rejects)
            for path in (self._partial, self._rejects, _beside(self._out, ".journal.part")):
                path.unlink(missing_ok=True)
            folder = os.open(self._out.parent, os.O_RDONLY)
            with suppress(OSError):  # not every system syncs a folder
                os.fsync(folder)
            os.close(folder)
            self._path.unlink()

    def _begin_or_continue(
        self, identity: dict[str, object], head: bytes, *, restart: bool
    ) -> Checkpoint:
        """Open the files where the last checkpoint that is wholly there left them."""
        notes = [] if restart else self._notes()
        if notes:
            self._refuse_another(notes[0][0], identity)
        self.complete = bool(notes) and "done" in notes[-1][0] and not self._partial.exists()
        partial, rejects = _size(self._partial), max(0, _size(self._rejects))
        for note, end in reversed(notes[1:]):
            if "done" in note:
                continue
            point = Checkpoint(**note)  # type: ignore[arg-type]  # written from one
            if self.complete or (point.written <= partial and point.rejected <= rejects):
                self._open(end, point.written, point.rejected)
                return point
        self._open(0, 0, 0)
        self._note(identity)
        _write(self._work, head)
        self.mark(BEGINNING)
        return self.checkpoint

    def _open(self, journal: int, partial: int, rejects: int) -> None:
        """Open the files, cut off at the given bytes."""
        self._file.truncate(journal)
        if self.complete:
            self._work = self._aside = FileIO(os.devnull, "w")
        else:
            self._work = _cut(self._partial, partial)
            self._aside = _cut(self._rejects, rejects)

    def _notes(self) -> list[tuple[dict[str, object], int]]:
        """Return what the journal says, each with the place of its end, up to a torn line."""
        notes, end = [], 0
        self._file.seek(0)
        for line in self._file.readall().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                note = json.loads(line)
            except ValueError:
                break
            end += len(line)
            notes.append((note, end))
        return notes

    def _refuse_another(self, was: dict[str, object], now: dict[str, object]) -> None:
        names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        if not names:
            return
        said = [_difference(name, was.get(name), now.get(name)) for name in names]
        raise UsageError(
            f"`{self._out}` was begun by another run: {'; '.join(said)}",
            hint="run that command again to continue it, or add --restart to begin anew",
        )

    def _shortened(self) -> FileIO:
        """Put a journal of the last checkpoint alone in the place of the one that has grown."""
        part = _beside(self._out, ".journal.part")
        file = FileIO(part, "w+")
        for note in (self._identity, dataclasses.asdict(self.checkpoint)):
            _write(file, _line(note))
        os.fsync(file.fileno())
        _lock(file)  # before anybody can find it
        part.replace(self._path)
        self._file.close()
        return file

    def _flush(self) -> None:
        _write(self._work, self._block)
        self._block.clear()

    def _note(self, note: Mapping[str, object]) -> None:
        _write(self._file, _line(note))
        os.fsync(self._file.fileno())

    @contextmanager
    def _writing(self) -> Generator[None]:
        """Say what could not be written.

        Raises:
            OutputError: in place of what the file system raised.
        """
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write `{self._out}`: {(error.strerror or str(error)).lower()}",
                hint=_KEPT if self.checkpoint.rows else "",
            ) from error


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _cut(path: Path, size: int) -> FileIO:
    """Open `path` to write behind its first `size` bytes, less what was there."""
    file = FileIO(path, "a")
    file.truncate(size)
    file.seek(0, os.SEEK_END)
    return file


def _write(file: FileIO, content: bytes | bytearray) -> None:
    """Write all of `content`: a disk that fills up takes a part of it first."""
    with memoryview(content) as left:
        done = 0
        while done < len(left):
            done += file.write(left[done:])


def _line(note: Mapping[str, object]) -> bytes:
    return json.dumps(note).encode() + b"\n"


def _difference(name: str, was: object, now: object) -> str:
    said = ["not given" if value is None else f"`{value}`" for value in (was, now)]
    if max(map(len, said)) > _SAYABLE:
        return f"{name} has changed"
    return f"{name} was {said[0]}, is now {said[1]}"


def _locked(path: Path, out: Path) -> FileIO:
    """Open the journal at `path` for this process alone.

    Raises:
        OutputError: another process has it.
    """
    while True:
        file = FileIO(path, "a+")
        try:
            _lock(file)
        except BlockingIOError as error:
            file.close()
            raise OutputError(
                f"`{out}` is being written by another run",
                hint="wait for that run to end, or write to another file",
            ) from error
        # The other run may have ended, and removed the journal, between the two steps.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()


def _lock(file: FileIO) -> None:
    """Keep others from `file`; raises BlockingIOError where they got there first."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
