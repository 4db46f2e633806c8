"""Records in, rows out: order, rejects and checkpoints, with a model of five words."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedcli.cache import Cached, Store
from embedcli.embeds import Streams
from embedcli.engine.embedder import Embedder
from embedcli.errors import InputError, ModelError
from embedcli.formats import inputs
from embedcli.formats.fields import Selection
from embedcli.formats.fields import field as named
from embedcli.formats.inputs import Reading
from embedcli.formats.jsonl import Writer
from embedcli.formats.record import Record, Reject
from embedcli.formats.shape import Shape
from embedcli.journal import BEGINNING, Checkpoint
from embedcli.pipeline import Tally, run
from embedcli.records import Options

TEXT: Selection = named("text")


@dataclass
class Kept:
    """A sink that remembers."""

    parts: list[bytes] = field(default_factory=list)
    rejects: list[bytes] = field(default_factory=list)
    marks: list[Checkpoint] = field(default_factory=list)
    due: bool = False

    def append(self, part: bytes) -> None:
        self.parts += [part] if part else []

    def reject(self, line: bytes) -> None:
        self.rejects.append(line)

    def mark(self, checkpoint: Checkpoint) -> None:
        self.marks.append(checkpoint)


def text(words: str, line: int = 1) -> Record:
    return Record(words, "a", line, line, b'{"text":"%s"}' % words.encode(), ("text",))


def bad(line: int = 1, raw: bytes = b"?") -> Reject:
    return Reject("a", line, line, "bad", raw)


def embedded(
    embedder: Streams,
    records: Iterable[Record | Reject],
    sink: Kept,
    *,
    begun: Checkpoint = BEGINNING,
    options: Options = Options(),  # noqa: B008  # frozen
    skip: bool = True,
    report: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    return run(
        records,
        embedder,
        options,
        Writer(Shape(TEXT), dtype="float32"),
        sink,
        windows=None,
        begun=begun,
        skip_rejects=skip,
        report=report,
    )


def test_rows_and_rejects_keep_their_order_in_the_checkpoints(palette: Embedder) -> None:
    sink = Kept(due=True)
    records: list[Record | Reject] = [bad(1), text("red", 2), bad(3), bad(4), text("blue", 5)]
    tally = embedded(palette, records, sink)
    assert (tally.rows, tally.rejects, tally.tokens) == (2, 3, 6)
    assert [(mark.rows, mark.rejects) for mark in sink.marks] == [
        (0, 1), (1, 1), (1, 2), (1, 3), (2, 3), (2, 3),
    ]  # fmt: skip


def test_a_run_may_go_on_from_every_checkpoint(palette: Embedder) -> None:
    records: list[Record | Reject] = [
        text("red"),
        bad(),
        text("green"),
        text("red"),
        bad(),
        text("blue"),
    ]
    whole = Kept(due=True)
    embedded(palette, records, whole)
    for mark in whole.marks:
        rest = Kept()
        tally = embedded(palette, records, rest, begun=mark)
        assert (tally.rows, tally.rejects, tally.tokens) == (4, 2, 12)
        assert rest.parts == whole.parts[mark.rows :]
        assert rest.rejects == whole.rejects[mark.rejects :]


def test_other_records_are_not_gone_on_with(palette: Embedder) -> None:
    first = Kept()
    embedded(palette, [text("red"), text("green")], first)
    with pytest.raises(InputError, match="the input is not the one"):
        embedded(palette, [text("red"), text("blue")], Kept(), begun=first.marks[-1])


def test_a_bad_record_stops_the_run_behind_the_rows_before_it(palette: Embedder) -> None:
    sink = Kept()
    with pytest.raises(InputError, match=r"^a:2: bad$"):
        embedded(palette, [text("red"), bad(2), text("blue")], sink, skip=False)
    assert [(mark.rows, mark.rejects) for mark in sink.marks] == [(1, 0)]


def test_more_rejects_than_memory_holds_lose_no_text(palette: Embedder) -> None:
    sink, big = Kept(), bytes(1_000_000)
    many: list[Record | Reject] = [bad(raw=big)] * 40
    tally = embedded(palette, [*many, text("red"), *many, text("blue"), *many], sink)
    assert (tally.rows, tally.rejects) == (2, 120)


def test_larger_records_than_memory_holds_keep_their_order(palette: Embedder) -> None:
    words = ["red", "green", "blue"]
    fields = b'{"text":"","other":"%s"}' % bytes(5_000_000)
    records = [Record(words[i % 3], "a", i, i, fields, ("text",)) for i in range(12)]
    sink = Kept()
    embedded(palette, records, sink)
    ends = [part.rsplit(b":", 1)[1] for part in sink.parts]
    assert len(set(ends[:3])) == 3
    assert ends == ends[:3] * 4


def test_rows_of_a_table_weigh_what_their_columns_do(palette: Embedder, tmp_path: Path) -> None:
    rows, size = 600, 100_000
    columns = {"text": ["red"] * rows, "other": ["x" * size] * rows}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    read = 0
    records = inputs.read([str(tmp_path / "a.parquet")], Reading())

    def counted() -> Iterator[Record | Reject]:
        nonlocal read
        for record in records:
            read += 1
            yield record

    ahead = []
    sink = Kept()
    embedded(palette, counted(), sink, report=lambda tally: ahead.append(read - tally.rows))
    assert len(sink.parts) == rows
    assert max(ahead) * size < 20_000_000


def test_texts_that_may_not_be_cut_are_set_aside_and_others_follow(palette: Embedder) -> None:
    records = [text("red " * 9, 1), text("red", 2), text("blue " * 9, 3), text("green", 4)]
    sink = Kept()
    tally = embedded(palette, records, sink, options=Options(truncate=False))
    assert (tally.rows, tally.rejects) == (2, 2)
    assert b'"line":3,"reason":"too long: it has 11 tokens, the limit is 8"' in sink.rejects[1]


def test_texts_behind_one_set_aside_get_their_own_vectors_from_a_cache_too(
    palette: Embedder, tmp_path: Path
) -> None:
    words = ["red", "green", "blue", "red blue"]
    records = [text(words[n % 4] if n != 1 else "red " * 9, n) for n in range(2300)]
    options = Options(truncate=False)
    cached = Cached(palette, Store(tmp_path / "vectors.db"), "colours")
    plain, remembered = Kept(), Kept()
    assert embedded(palette, records, plain, options=options).rows == 2299
    assert embedded(cached, records, remembered, options=options).rows == 2299
    assert remembered.parts == plain.parts
    assert remembered.rejects == plain.rejects
    for part in plain.parts[:8]:
        row = json.loads(part)
        np.testing.assert_array_equal(
            np.array(row["embedding"], np.float32), palette.embed([row["text"]])[0]
        )


def test_large_texts_go_through_a_cache(palette: Embedder, tmp_path: Path) -> None:
    cached = Cached(palette, Store(tmp_path / "vectors.db"), "colours")
    records = [text("red " * 300_000, n) for n in range(40)]
    assert embedded(cached, records, Kept()).rows == 40


def test_a_bad_record_is_told_before_the_next_one_comes(palette: Embedder) -> None:
    told = threading.Event()

    class Telling(Kept):
        def reject(self, line: bytes) -> None:
            super().reject(line)
            told.set()

    def records() -> Iterator[Record | Reject]:
        yield bad(1)
        assert told.wait(timeout=30), "nobody heard of the bad record"
        yield text("red", 2)

    assert embedded(palette, records(), Telling()).rows == 1


def test_a_text_that_the_model_fails_on_is_named(palette: Embedder) -> None:
    sink = Kept()
    with pytest.raises(ModelError, match=r"^a:7: the vector holds NaN or infinity$"):
        embedded(palette, [text("red"), bad(), text("nan", 7)], sink)
    assert len(sink.parts) == len(sink.rejects) == 1


def test_what_was_cut_is_counted_with_the_longest(palette: Embedder) -> None:
    tally = embedded(palette, [text("red " * 9, 1), text("blue " * 9, 2), text("red", 3)], Kept())
    assert (tally.cut, tally.longest, tally.longest_at) == (2, 45, "a:2")
