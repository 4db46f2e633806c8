"""Records in, rows out: what `embed file` does between its flags and its files.

Knows no format: readers give records, a writer takes rows, and a sink keeps what the writer made.
"""

import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from copy import copy
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Protocol

import orjson

from embedcli.embeds import Streams
from embedcli.engine.windows import Windows
from embedcli.errors import InputError, ModelError, VectorError
from embedcli.feed import Feed
from embedcli.formats.outputs import Writer
from embedcli.formats.record import Record, Reject, Row, Window
from embedcli.journal import Checkpoint
from embedcli.outcomes import Outcome
from embedcli.records import Embedded, Options

_HELD = 16_000_000  # bytes of records that wait for their vectors: few, but however large
_LEAST = 1500  # bytes that a record counts for at least: some thousands keep an embedder busy


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
    safe = copy(tally), digest  # as far as the sink has all parts
    items = _continued(_items(records, windows), begun)
    try:
        with closing(_results(items, embedder, options)) as results:
            for result, reached in results:
                if isinstance(result, Reject):
                    _set_aside(result, sink, tally, skip=skip_rejects)
                else:
                    sink.append(writer.add(result))
                    tally.count(result)
                digest = reached
                tally.seconds = time.monotonic() - since
                report(tally)
                if not writer.held:
                    safe = copy(tally), digest
                    if sink.due:
                        sink.mark(_checkpoint(*safe))
    except (InputError, ModelError):  # the rows before it are as good as ever
        if tally.rejects == safe[0].rejects:  # or the sink has more of them than are counted
            sink.mark(_checkpoint(*safe))
        raise
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
        digest = _digest(digest, record.json, record.text.encode())
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


def _results(
    items: Iterable[_Item], embedder: Streams, options: Options
) -> Generator[tuple[Row | Reject, str]]:
    """Yield a row for each passage, and the rejects between them, as they come.

    Raises:
        ModelError: the vector of a passage holds NaN or infinity.
    """
    texts: SimpleQueue[str | None] = SimpleQueue()
    with closing(embedder.outcomes(iter(texts.get, None), options)) as outcomes:
        feed = Feed(_handed_on(items, texts), room=_HELD, weigh=_weight)
        try:
            for entry, digest in feed:
                if isinstance(entry, Reject):
                    yield entry, digest
                else:
                    yield _result(entry, next(outcomes)), digest
        finally:
            feed.stop()
            texts.put(None)  # should the thread that reads never come to its end


def _handed_on(items: Iterable[_Item], texts: "SimpleQueue[str | None]") -> Iterator[_Item]:
    """Yield `items`, of which the passages' texts go to the embedder, too."""
    try:
        for item in items:
            if isinstance(item[0], _Passage):
                texts.put(item[0].text)
            yield item
    finally:
        texts.put(None)


def _result(passage: _Passage, outcome: Outcome) -> Row | Reject:
    record = passage.record
    if isinstance(outcome, Embedded):
        return Row(record, passage.text, passage.window, outcome)
    if isinstance(outcome, VectorError):
        raise ModelError(
            f"{record.source}:{record.line}: the vector holds NaN or infinity", hint=outcome.hint
        ) from outcome
    reason = f"too long: it has {outcome.tokens} tokens, the limit is {outcome.limit}"
    return Reject(record.source, record.line, record.position, reason, record.json)


def _weight(item: _Item) -> int:
    entry, _ = item
    if isinstance(entry, Reject):
        return max(len(entry.raw), _LEAST)
    # The windows of a text share its record: it weighs on the first of them only.
    shared = entry.window is not None and entry.window.chunk > 0
    return max(len(entry.text) + (0 if shared else entry.record.weight), _LEAST)
