"""The engine as a whole: order, company, streams, threads, and what goes wrong in it."""

import itertools
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedcli import Options
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.errors import InputError, ModelError, TextTooLong, UsageError, VectorError
from embedcli.records import Embedded

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


def test_a_vector_by_hand(palette: Embedder) -> None:
    vectors = palette.embed(["red green"], Options(normalize=False))
    # the mean of <s> (9, 9, 9), red (1, 0, 0), green (0, 2, 0) and </s> (3, 3, 3)
    np.testing.assert_array_equal(vectors, [[13 / 4, 14 / 4, 12 / 4]])


def test_vectors_have_unit_length_unless_told_otherwise(palette: Embedder) -> None:
    lengths = np.linalg.norm(palette.embed(["red", "green blue", ""]), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


def test_no_texts_give_no_vectors(palette: Embedder) -> None:
    assert palette.embed([]).shape == (0, 3)
    assert palette.embed([], Options(dimensions=2)).shape == (0, 2)
    assert list(palette.stream([])) == []


@settings(max_examples=25)
@given(TEXTS, st.lists(TEXTS, max_size=12), st.integers(0, 12))
def test_a_text_alone_has_the_same_bits_in_any_company(
    minilm: Embedder, text: str, mates: list[str], place: int
) -> None:
    alone = minilm.embed([text])[0]
    company = [*mates[:place], text, *mates[place:]]
    together = minilm.embed(company)[company.index(text)]
    streamed = list(minilm.stream(company))[company.index(text)].vector
    assert alone.tobytes() == together.tobytes() == streamed.tobytes()


@pytest.mark.parametrize(("raises", "most"), [(False, 256), (True, 512)])
def test_a_limit_only_lowers_the_models_own_unless_it_says_that_it_raises_it(
    minilm: Embedder, raises: bool, most: int
) -> None:
    asked = [Options(max_tokens=n, raises_limit=raises) for n in (None, 100, 300, 9999)]
    counts = [minilm.submit(["word " * 600], options).result()[0].tokens for options in asked]
    assert counts == [256, 100, min(300, most), most]


@pytest.mark.parametrize("words", [1, 40, 200])
def test_a_text_on_all_cores_has_the_same_bits_as_on_one(minilm: Embedder, words: int) -> None:
    text = "sky " * words
    in_company = minilm.embed([text, "other"])[0]
    for _ in range(12):  # the first ones on one core, the last on all
        assert minilm.embed([text])[0].tobytes() == in_company.tobytes()


@given(st.lists(st.sampled_from(["red", "green", "blue red", "", "blue " * 9]), max_size=40))
def test_order_and_receipts_survive_sorting(palette: Embedder, texts: list[str]) -> None:
    streamed = list(palette.stream(texts))
    assert [row.truncated for row in streamed] == [text == "blue " * 9 for text in texts]
    assert [row.tokens for row in streamed] == [min(8, len(text.split()) + 2) for text in texts]
    expected = palette.embed(texts)
    np.testing.assert_array_equal(
        np.array([row.vector for row in streamed]).reshape(-1, 3), expected
    )


def test_an_endless_stream_is_read_only_some_way_ahead(palette: Embedder) -> None:
    read = itertools.count()
    texts = ("red" for _ in read)
    results = palette.stream(texts)
    for _ in range(100):
        next(results)
    assert next(read) < 10_000


def test_a_stream_answers_before_its_source_goes_on(palette: Embedder) -> None:
    answered = threading.Event()

    def source() -> Iterator[str]:
        yield "red"
        assert answered.wait(timeout=30), "the first text got no answer"
        yield "green"

    results = palette.stream(source())
    assert next(results).tokens == 3
    answered.set()
    assert next(results).tokens == 3


def test_an_error_of_one_text_stands_in_its_place(palette: Embedder) -> None:
    texts = ["red", "red " * 9, "nan", "blue", "nan"] * 1000
    found = list(palette.outcomes(texts, Options(truncate=False)))
    kinds = [Embedded, TextTooLong, VectorError, Embedded, VectorError]
    assert [type(outcome) for outcome in found] == kinds * 1000
    for text, outcome in zip(texts, found, strict=True):
        if isinstance(outcome, Embedded):
            np.testing.assert_array_equal(outcome.vector, palette.embed([text])[0])


def test_a_stream_ends_at_the_first_text_without_a_vector(palette: Embedder) -> None:
    results = palette.stream(["red", "green", "red " * 9, "blue"], Options(truncate=False))
    assert [next(results).tokens, next(results).tokens] == [3, 3]
    with pytest.raises(TextTooLong, match="text 3 is too long"):
        next(results)


def test_an_error_of_the_source_comes_after_what_was_read_before_it(palette: Embedder) -> None:
    def source() -> Iterator[str]:
        yield "red"
        raise InputError("line 2 is not UTF-8")

    results = palette.stream(source())
    assert next(results).tokens == 3
    with pytest.raises(InputError, match="line 2"):
        next(results)


def test_a_stream_that_nobody_reads_any_more_leaves_nothing_waiting(palette: Embedder) -> None:
    results = palette.stream(["red", "green"] * 5000)
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator, as far as callers may know
    assert palette.waiting_tokens == 0


def test_many_threads_share_one_embedder(palette: Embedder) -> None:
    expected = palette.embed(["red", "green"])
    found: list[bool] = []

    def ask() -> None:
        found.append(np.array_equal(palette.embed(["red", "green"]), expected))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 16


def test_nan_is_an_error_that_names_the_text(palette: Embedder) -> None:
    with pytest.raises(VectorError, match="text 2 holds NaN"):
        palette.embed(["red", "nan", "green"])


def test_one_text_that_fails_does_not_take_its_mates_along(palette: Embedder) -> None:
    failing = palette.submit(["lost"])
    fine = palette.submit(["red"])
    assert fine.result()[0].tokens == 3
    with pytest.raises(ModelError, match="the model failed to run"):
        failing.result()


def test_a_graph_that_cannot_be_loaded_is_not_tried_for_every_text(palette: Embedder) -> None:
    tried = []

    def open_session(threads: int) -> Session:
        tried.append(threads)
        return Session(replace(palette.spec, graph=Path("none.onnx")), threads=threads)

    limits = Limits(tokens=32, texts=32)
    broken = Embedder(palette.spec, palette.tokenizer, open_session, threads=2, limits=limits)
    texts = [" ".join(words) for words in itertools.product(("red", "green", "blue"), repeat=6)]
    with pytest.raises(ModelError, match=r"cannot load the graph `none\.onnx`"):
        broken.embed(texts)
    assert len(tried) < 20


@pytest.mark.skipif(sys.platform != "linux", reason="others refuse the size, not the thread")
def test_a_thread_that_the_system_refuses_is_not_waited_for(palette: Embedder) -> None:
    before = threading.stack_size(1 << 46)  # no address space holds as much
    try:
        for _ in range(palette.threads):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                palette.submit(["red"])
    finally:
        threading.stack_size(before)
    assert palette.submit(["red"]).result(timeout=30)[0].tokens == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(dimensions=4), "4 dimensions are not possible: `colours` has 3"),
        (Options(dimensions=0), "0 dimensions are not possible: `colours` has 3"),
        (Options(prompt="quary"), "`colours` has no prompt `quary`: it has `query`"),
        (Options(max_tokens=0), "a limit of 0 tokens is not possible: the least is 1"),
    ],
)
def test_what_the_model_does_not_have_is_refused(
    palette: Embedder, options: Options, message: str
) -> None:
    for ask in (palette.embed, palette.submit, palette.stream):
        with pytest.raises(UsageError) as caught:
            ask(["red"], options)
        assert str(caught.value) == message


def test_a_prompt_is_put_before_each_text(palette: Embedder) -> None:
    np.testing.assert_array_equal(
        palette.embed(["blue"], Options(prompt="query")), palette.embed(["red blue"])
    )
    np.testing.assert_array_equal(
        palette.embed(["blue"], Options(prompt="query", prefix="")), palette.embed(["blue"])
    )


def test_a_closed_embedder_loads_again(palette: Embedder) -> None:
    before = palette.embed(["red"])
    palette.close()
    np.testing.assert_array_equal(palette.embed(["red"]), before)


def test_a_text_that_comes_again_as_its_like_is_served_is_not_lost(palette: Embedder) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change as often as they can
    try:
        rows = list(palette.stream(["red", "blue"] * 4000))
    finally:
        sys.setswitchinterval(interval)
    assert len({row.vector.tobytes() for row in rows[::2]}) == 1
    assert len(rows) == 8000
