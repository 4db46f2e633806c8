"""Records in, rows out: what `embed file` does between its flags and its files.

Knows no format: readers give records, a writer takes rows, and a sink keeps what the writer made.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Protocol

import orjson

from embedcli.embeds import Streams
from embedcli.engine.windows import Windows
from embedcli.errors import InputError, ModelError, TextTooLong, VectorError
from embedcli.formats.outputs import Writer
from embedcli.formats.record import Record, Reject, Row, Window
from embedcli.journal import Checkpoint
from embedcli.records import Embedded, Options

_HELD = 32_000_000  # bytes of records that wait for their vectors: few, but however large


class Sink(Protocol):
    """Where parts of the output go, and what could not be read."""

    @property
    def due(self) -> bool:
        """Whether it is time for a checkpoint."""

    def append(self, part: bytes) -> None:
        """Take the next part of the output."""

    def reject(self, line: bytes) -> None:
        """Take a line about a record that could not be read."""

    def mark(self, checkpoint: Checkpoint) -> None:
        """Make everything safe up to here."""


@dataclass(slots=True)
class Tally:
    """What has been counted so far."""

    rows: int = 0
    rejects: int = 0
    tokens: int = 0
    cut: int = 0  # texts that were too long
    longest: int = 0  # characters of the longest of them
    longest_at: str = ""  # its file:line
    seconds: float = 0.0
    position: int = 0  # bytes of the inputs

    def count(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.tokens += row.embedded.tokens
        self.position = row.record.position
        if row.embedded.truncated:
            self.cut += 1
            if len(row.text) > self.longest:
                self.longest = len(row.text)
                self.longest_at = f"{row.record.source}:{row.record.line}"


@dataclass(frozen=True, slots=True)
class _Passage:
    """A text on its way, and all that is needed once its vector is there."""

    record: Record
    text: str
    window: Window | None


_Item = tuple[_Passage | Reject, str]  # with the digest of all items up to it


def run(
    records: Iterable[Record | Reject],
    embedder: Streams,
    options: Options,
    writer: Writer,
    sink: Sink,
    *,
    windows: Windows | None,
    begun: Checkpoint,
    skip_rejects: bool,
    report: Callable[[Tally], None],
) -> Tally:
    """Embed `records` and hand the output to `sink`, from the checkpoint `begun` on.

    Raises:
        InputError: a record cannot be read and is not to be skipped, or what was done before was
            not made from these records.
    """
    tally = Tally(**begun.counts)  # type: ignore[arg-type]  # written from one
    since = time.monotonic() - tally.seconds
    digest = begun.digest
    items = _continued(_items(records, windows), begun)
    flow = _Flow(items, embedder, options)
    try:
        with closing(flow.results()) as results:
            for result, reached in results:
                if isinstance(result, Reject):
                    _set_aside(result, sink, tally, skip=skip_rejects)
                else:
                    sink.append(writer.add(result))
                    tally.count(result)
                digest = reached
                tally.seconds = time.monotonic() - since
                report(tally)
                if sink.due and not writer.held:
                    sink.mark(_checkpoint(tally, digest))
    except (InputError, ModelError):  # the rows before it are as good as ever
        if not writer.held:
            sink.mark(_checkpoint(tally, digest))
        raise
    finally:
        flow.stop()
    sink.append(writer.close())
    sink.mark(_checkpoint(tally, digest))
    return tally


def _checkpoint(tally: Tally, digest: str) -> Checkpoint:
    return Checkpoint(tally.rows, tally.rejects, digest, asdict(tally))


def _set_aside(reject: Reject, sink: Sink, tally: Tally, *, skip: bool) -> None:
    if not skip:
        raise reject.error("mend the record, or set such records aside with --on-error skip")
    line = {
        "source": reject.source,
        "line": reject.line,
        "reason": reject.reason,
        "record": reject.raw.decode("utf-8", "replace"),
    }
    sink.reject(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
    tally.rejects += 1
    tally.position = reject.position


def _items(records: Iterable[Record | Reject], windows: Windows | None) -> Iterator[_Item]:
    """Yield what is to be embedded, each with a digest of everything so far."""
    digest = ""
    for record in records:
        if isinstance(record, Reject):
            digest = _digest(digest, record.raw)
            yield record, digest
            continue
        fields = record.fields if isinstance(record.fields, bytes) else b""
        digest = _digest(digest, fields, record.text.encode())
        if windows is None:
            yield _Passage(record, record.text, None), digest
            continue
        for chunk, (start, end) in enumerate(windows.of(record.text)):
            window = Window(chunk, start, end)
            yield _Passage(record, record.text[start:end], window), f"{digest}+{chunk}"


def _digest(before: str, *parts: bytes) -> str:
    digest = hashlib.blake2b(before.encode(), digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def _continued(items: Iterator[_Item], begun: Checkpoint) -> Iterator[_Item]:
    """Yield the items behind the checkpoint.

    Raises:
        InputError: those before it are not the ones it was made from.
    """
    digest = ""
    for _ in range(begun.rows + begun.rejects):
        _, digest = next(items, (None, ""))
    if digest != begun.digest:
        raise InputError(
            f"the input is not the one that the partial output of {begun.rows} rows was made from",
            hint="give the same input to continue, or add --restart to begin anew",
        )
    yield from items


class _Flow:
    """Items on their way through the embedder, in order, and no more than memory has room for."""

    def __init__(self, items: Iterator[_Item], embedder: Streams, options: Options) -> None:
        self._items = items
        self._embedder = embedder
        self._options = options
        self._waiting: deque[tuple[_Item, int]] = deque()
        self._weight = 0
        self._passages = 0  # of those that wait
        self._changed = threading.Condition()
        self._stopped = False
        self._more = True

    def results(self) -> Generator[tuple[Row | Reject, str]]:
        """Yield a row for each passage, and the rejects between them."""
        while self._more:
            self._more = False
            try:
                for embedded in self._embedder.stream(self._texts(), self._options):
                    yield from self._rejects()
                    yield self._row(embedded)
            except TextTooLong as error:
                yield from self._rejects()
                yield self._too_long(error)
                self._more = True
            except VectorError as error:
                yield from self._rejects()
                record = self._take()[0].record  # type: ignore[union-attr]  # rejects are gone
                raise ModelError(
                    f"{record.source}:{record.line}: the vector holds NaN or infinity",
                    hint=error.hint,
                ) from error
            yield from self._rejects()

    def stop(self) -> None:
        """Let the thread that reads come to its end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _texts(self) -> Iterator[str]:
        """Yield the texts as there is room; in the embedder's own thread."""
        for item in self._items:
            entry = item[0]
            weight = _weight(entry)
            with self._changed:
                self._changed.wait_for(lambda: self._has_room() or not self._passages)
                if self._stopped:
                    return
                self._waiting.append((item, weight))
                self._weight += weight
                self._passages += isinstance(entry, _Passage)
                # Rejects alone bring no results with which they would be taken: begin again.
                if not self._passages and not self._has_room():
                    self._more = True
                    return
            if isinstance(entry, _Passage):
                yield entry.text

    def _has_room(self) -> bool:
        return self._stopped or self._weight < _HELD

    def _take(self) -> _Item:
        with self._changed:
            item, weight = self._waiting.popleft()
            self._weight -= weight
            self._passages -= isinstance(item[0], _Passage)
            self._changed.notify_all()
            return item

    def _rejects(self) -> Iterator[tuple[Reject, str]]:
        while self._waiting and isinstance(self._waiting[0][0][0], Reject):
            reject, digest = self._take()
            assert isinstance(reject, Reject)
            yield reject, digest

    def _row(self, embedded: Embedded) -> tuple[Row, str]:
        passage, digest = self._take()
        assert isinstance(passage, _Passage)
        return Row(passage.record, passage.text, passage.window, embedded), digest

    def _too_long(self, error: TextTooLong) -> tuple[Reject, str]:
        passage, digest = self._take()
        assert isinstance(passage, _Passage)
        record = passage.record
        raw = record.fields if isinstance(record.fields, bytes) else record.fields.json()
        reason = f"too long: it has {error.tokens} tokens, the limit is {error.limit}"
        return Reject(record.source, record.line, record.position, reason, raw), digest


def _weight(entry: _Passage | Reject) -> int:
    if isinstance(entry, Reject):
        return len(entry.raw) + 256
    fields = entry.record.fields
    # The windows of a text share its record: it weighs on the first of them only.
    shared = entry.window is not None and entry.window.chunk > 0
    own = len(fields) if isinstance(fields, bytes) and not shared else 0
    return len(entry.text) + own + 256
