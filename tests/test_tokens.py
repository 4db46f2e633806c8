"""From text to tokens: the same cut as the whole text would get, and an honest receipt."""

import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embedcli import Options
from embedcli.engine.embedder import Embedder
from embedcli.engine.tokens import Tokenizer
from embedcli.errors import InputError, ModelError, TextTooLong, UsageError

WORDS = st.sampled_from(["sky", " ", "\n", "é", "天空", "[SEP]", "x" * 120, "a-b", "🌈", "1.5e-3"])


def cut(embedder: Embedder, text: str, limit: int = 256) -> tuple[list[int], bool]:
    tokens = embedder.tokenizer.tokens(text, prefix="", limit=limit, truncate=True, index=0)
    return tokens.ids.tolist(), tokens.truncated


def whole(embedder: Embedder, text: str, limit: int = 256) -> tuple[list[int], bool]:
    """Cut the slow way: by the library, with all of the text tokenised."""
    library = tokenizers.Tokenizer.from_file(str(embedder.spec.tokenizer))
    library.no_padding()
    library.enable_truncation(limit)
    encoding = library.encode(text)
    return encoding.ids, bool(encoding.overflowing)


@settings(max_examples=40)
@given(st.lists(WORDS, max_size=40).map("".join), st.integers(1, 300), st.integers(3, 40))
@example("天空" * 4000, 1, 40)
@example("x" * 9000, 1, 5)
@example("x" * 9000 + " sky" * 90, 1, 40)
def test_a_long_text_is_cut_as_if_all_of_it_had_been_tokenised(
    minilm: Embedder, text: str, times: int, limit: int
) -> None:
    assert cut(minilm, text * times, limit) == whole(minilm, text * times, limit)


def test_the_limit_counts_special_tokens(palette: Embedder) -> None:
    assert cut(palette, "red " * 6, limit=8) == ([1, *[3] * 6, 2], False)
    assert cut(palette, "red " * 7, limit=8) == ([1, *[3] * 6, 2], True)


def test_what_the_file_says_of_padding_and_cutting_is_not_believed(palette: Embedder) -> None:
    assert cut(palette, "red green blue red", limit=8) == ([1, 3, 4, 5, 3, 2], False)


def test_a_prefix_is_part_of_the_text(palette: Embedder) -> None:
    tokens = palette.tokenizer.tokens("blue", prefix="red ", limit=8, truncate=True, index=0)
    assert tokens.ids.tolist() == [1, 3, 5, 2]


def test_a_text_that_may_not_be_cut_is_named_with_its_tokens(palette: Embedder) -> None:
    with pytest.raises(TextTooLong) as caught:
        palette.tokenizer.tokens("red " * 9, prefix="", limit=8, truncate=False, index=4)
    assert str(caught.value) == "text 5 is too long: it has 11 tokens, the limit is 8"


@pytest.mark.parametrize("text", ["\ud800", "red " * 9 + "\udfff"])
def test_a_text_that_is_not_unicode_is_named(palette: Embedder, text: str) -> None:
    for options in (Options(), Options(truncate=False)):
        with pytest.raises(InputError) as caught:
            palette.embed(["red", text], options)
        assert str(caught.value) == "text 2 is not Unicode: it holds half of a surrogate pair"
    for ask in (palette.embed, palette.stream):
        with pytest.raises(UsageError, match="the prefix is not Unicode: surrogates not allowed"):
            ask(["red"], Options(prefix=text))


def test_a_limit_without_room_for_text_is_refused(palette: Embedder) -> None:
    with pytest.raises(UsageError, match="the special tokens alone take 2"):
        palette.tokenizer.tokens("red", prefix="", limit=2, truncate=True, index=0)


def test_a_text_is_lowercased_and_ended_where_the_model_asks_for_it(palette: Embedder) -> None:
    file = palette.spec.tokenizer
    made = Tokenizer(file, lowercase=True, eos="[UNK]")
    ids = made.tokens("RED", prefix="", limit=8, truncate=True, index=0).ids.tolist()
    assert ids == [1, 3, 2, 0]
    again = Tokenizer(file, eos="</s>")  # it ends every text already
    assert again.tokens("RED", prefix="", limit=8, truncate=True, index=0).ids.tolist() == [1, 0, 2]


def test_a_damaged_tokenizer_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("damaged") / "tokenizer.json"
    file.write_text("{")
    with pytest.raises(ModelError, match=str(file)):
        Tokenizer(file)
