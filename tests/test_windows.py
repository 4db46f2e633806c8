"""Long texts cut into windows of tokens."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedcli.engine.embedder import Embedder
from embedcli.engine.windows import Windows
from embedcli.errors import UsageError


def windows(embedder: Embedder, size: int, overlap: int = 0, prefix: str = "") -> Windows:
    return Windows(embedder.tokenizer, prefix=prefix, size=size, overlap=overlap)


def cut(embedder: Embedder, text: str, size: int, overlap: int = 0) -> list[str]:
    return [text[start:end] for start, end in windows(embedder, size, overlap).of(text)]


def test_windows_end_between_words(minilm: Embedder) -> None:
    text = "one two three tokenized words, and more"
    assert cut(minilm, text, 6) == ["one two three ", "tokenized words, ", "and more"]


def test_a_word_of_too_many_tokens_is_cut_inside(minilm: Embedder) -> None:
    assert cut(minilm, "so unbelievably long", 6) == ["so unbelie", "vably long"]


def test_windows_overlap_by_whole_words(minilm: Embedder) -> None:
    text = "one two three four five six"
    assert cut(minilm, text, 5, 1) == ["one two three ", "three four five ", "five six"]


def test_a_text_that_fits_is_one_window(minilm: Embedder) -> None:
    for text in ("", " ", "one two"):
        assert cut(minilm, text, 6) == [text]


WILD = st.text(st.sampled_from("ab é三😀\n\u0301.") | st.characters(codec="utf-8"), max_size=80)


@given(text=WILD, size=st.integers(3, 12), overlap=st.integers(0, 6))
@example("aaaaéa0", 4, 1)  # the second window would have lain inside the first
@settings(max_examples=200)
def test_windows_cover_the_text_and_fit(
    minilm: Embedder, text: str, size: int, overlap: int
) -> None:
    found = list(windows(minilm, size, min(overlap, size - 3)).of(text))
    assert (found[0][0], found[-1][1]) == (0, len(text))
    for (start, end), (following, after) in pairwise(found):
        assert start < following <= end < after
    tokens = minilm.tokenizer.tokens
    for start, end in found:
        one = tokens(text[start:end], prefix="", limit=size, truncate=True, index=0)
        assert not one.truncated or end - start == 1


def test_a_text_of_a_megabyte_takes_as_long_as_its_windows(minilm: Embedder) -> None:
    text = "the quick brown fox jumps over the lazy dog. " * 22_000
    found = list(windows(minilm, 256).of(text))
    assert len(found) == pytest.approx(22_000 * 10 / 254, rel=0.02)


def test_a_word_without_end_is_cut_as_well(minilm: Embedder) -> None:
    found = list(windows(minilm, 256).of("x" * 300_000))
    assert found[-1][1] == 300_000
    assert max(end - start for start, end in found) <= 1 << 17


@pytest.mark.parametrize(("size", "overlap"), [(257, 0), (2, 0), (10, 8), (10, -1)])
def test_windows_that_cannot_be_are_refused(minilm: Embedder, size: int, overlap: int) -> None:
    with pytest.raises(UsageError):
        windows(minilm, size, overlap).check(256)


def test_a_prompt_takes_its_room(minilm: Embedder) -> None:
    found = list(windows(minilm, 6, prefix="query: ").of("one two three four"))
    assert found == [(0, 8), (8, 18)]
