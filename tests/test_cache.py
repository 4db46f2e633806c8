"""The cache of vectors: the same bits or none, whatever happens to its file."""

import resource
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from embedcli import Options
from embedcli.cache import Cached, Store
from embedcli.engine.embedder import Embedder
from embedcli.errors import TextTooLong, VectorError
from embedcli.outcomes import Outcome
from embedcli.records import DEFAULTS, Embedded

TEXTS = ["red", "green blue", "", "red", "blue"]


class Counting:
    """An engine that remembers what it was asked for."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.asked: list[str] = []

    def submit(self, texts: Sequence[str], options: Options = DEFAULTS) -> Future[list[Embedded]]:
        self.asked += texts
        return self.embedder.submit(texts, options)

    def stream(self, texts: Iterable[str], options: Options = DEFAULTS) -> Iterator[Embedded]:
        return self.embedder.stream(texts, options)

    def outcomes(self, texts: Iterable[str], options: Options = DEFAULTS) -> Generator[Outcome]:
        return self.embedder.outcomes(texts, options)


@pytest.fixture
def engine(palette: Embedder) -> Counting:
    return Counting(palette)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "kept" / "vectors.db")


def embed(engine: Counting, store: Store, texts: Sequence[str], options: Options) -> bytes:
    rows = list(Cached(engine, store, "colours").stream(texts, options))
    assert [row.tokens for row in rows] == [min(8, len(text.split()) + 2) for text in texts]
    return b"".join(row.vector.tobytes() for row in rows)


def test_what_was_computed_once_is_not_computed_again(engine: Counting, store: Store) -> None:
    first = embed(engine, store, TEXTS, Options())
    assert engine.asked == ["red", "green blue", "", "blue"]
    assert embed(engine, store, TEXTS, Options()) == first
    assert len(engine.asked) == 4
    assert store.contents().rows == 4


def test_many_texts_keep_their_order(engine: Counting, store: Store) -> None:
    texts = [" ".join(["red", "green", "blue"][: n % 4]) for n in range(3000)]
    first = embed(engine, store, texts, Options())
    asked = len(engine.asked)
    assert embed(engine, store, texts, Options()) == first
    assert len(engine.asked) == asked < 20


def test_other_options_are_other_vectors(engine: Counting, store: Store) -> None:
    embed(engine, store, ["red"], Options())
    embed(engine, store, ["red"], Options(dimensions=2))
    embed(engine, store, ["red"], Options(normalize=False))
    assert len(engine.asked) == 3


def test_a_cut_text_is_no_answer_where_cutting_is_forbidden(engine: Counting, store: Store) -> None:
    embed(engine, store, ["red " * 9], Options())
    with pytest.raises(TextTooLong):
        list(Cached(engine, store, "colours").stream(["red " * 9], Options(truncate=False)))


def test_an_error_comes_in_its_place_and_names_it(engine: Counting, store: Store) -> None:
    results = Cached(engine, store, "colours").stream(["red", "green", "nan", "blue"])
    assert [next(results).tokens, next(results).tokens] == [3, 3]
    with pytest.raises(VectorError, match="text 3 holds NaN"):
        next(results)


def test_what_is_behind_an_error_keeps_its_own_vector(engine: Counting, store: Store) -> None:
    texts = [" ".join(["red", "green", "blue"][: n % 4]) for n in range(3000)]
    texts[1] = texts[2500] = "red " * 9
    options = Options(truncate=False)
    outcomes = list(Cached(engine, store, "colours").outcomes(texts, options))
    assert [n for n, row in enumerate(outcomes) if isinstance(row, TextTooLong)] == [1, 2500]
    for text, row in zip(texts, outcomes, strict=True):
        if isinstance(row, Embedded):
            assert row.vector.tobytes() == engine.embedder.embed([text])[0].tobytes()


def test_a_stream_answers_before_its_source_goes_on(engine: Counting, store: Store) -> None:
    answered = threading.Event()

    def source() -> Iterator[str]:
        yield "red"
        assert answered.wait(timeout=30), "the first text got no answer"
        yield "green"

    results = Cached(engine, store, "colours").stream(source())
    assert next(results).tokens == 3
    answered.set()
    assert next(results).tokens == 3


def test_texts_are_not_in_the_file(engine: Counting, store: Store) -> None:
    embed(engine, store, ["green blue"], Options())
    assert b"green" not in b"".join(file.read_bytes() for file in store.path.parent.iterdir())


def test_nobody_else_may_read_the_file(engine: Counting, store: Store) -> None:
    embed(engine, store, ["red"], Options())
    assert store.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["vector = zeroblob(12)", "tokens = 9", "truncated = 1"])
def test_a_damaged_row_is_computed_again(engine: Counting, store: Store, damage: str) -> None:
    right = embed(engine, store, ["red"], Options())
    database = sqlite3.connect(store.path)
    database.execute(f"UPDATE vectors SET {damage}")
    database.commit()
    database.close()
    assert embed(engine, store, ["red"], Options()) == right
    assert engine.asked == ["red", "red"]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read", b""])
def test_a_damaged_file_is_made_anew(engine: Counting, store: Store, content: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    for _ in range(3):
        embed(engine, store, ["red"], Options())
    assert store.contents().rows == 1
    assert len(engine.asked) <= 2


def test_a_folder_that_cannot_be_written_is_no_error(engine: Counting) -> None:
    store = Store(Path("/proc/no-such-folder/vectors.db"))
    assert embed(engine, store, ["red"], Options())


def test_a_file_that_cannot_be_opened_is_left_as_it_is(engine: Counting, store: Store) -> None:
    embed(engine, store, ["red"], Options())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    row = Embedded(np.ones(3, np.float32), 3, False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        store.keep([(b"another", row)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert store.contents().rows == 1


def test_the_longest_unused_go_first(store: Store) -> None:
    limited = Store(store.path, limit=200_000)
    for number in range(100):
        vector = np.full(384, number, np.float32)
        limited.keep([(number.to_bytes(16), Embedded(vector, 3, False))])
    assert 20 < limited.contents().rows < 100
    assert store.path.stat().st_size < 300_000


def test_threads_with_their_own_connections_lose_nothing(store: Store) -> None:
    row = Embedded(np.ones(3, np.float32), 3, False)

    def write(thread: int) -> None:
        for number in range(20):
            store.keep([(bytes([thread, number]), row)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.contents().rows == 80


def test_a_cleared_cache_is_empty(engine: Counting, store: Store) -> None:
    embed(engine, store, ["red"], Options())
    store.clear()
    assert store.contents().rows == store.contents().size == 0
