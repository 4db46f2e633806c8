"""The only door to `tokenizers`: a text becomes the ids that the model sees, and a receipt.

Knows no batch and no vector. Nothing is padded here or anywhere: batches hold texts of one length.
"""

from pathlib import Path

import numpy as np
import tokenizers
from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as NormalizerSequence

from embedcli.errors import InputError, ModelError, TextTooLong, UsageError
from embedcli.records import TokenIds, Tokens

# A long text is tokenised only as far as it is kept. Tokens that end this many characters before
# the place where the text was broken off are those of the whole text: no tokenizer looks further.
_MARGIN = 1024
_CHARACTERS_PER_TOKEN = 8  # how far to look at first; prose has 4 to 5
_COUNTED = 1_000_000  # characters; beyond, a text that may not be cut is only said to be over


class Tokenizer:
    """A model's tokenizer.json, with the truncation and padding baked into it switched off."""

    def __init__(self, path: Path, *, lowercase: bool = False, eos: str | None = None) -> None:
        """Read `path`; `lowercase` what it does not by itself, and let `eos` end every text.

        Raises:
            ModelError: it is missing or damaged.
        """
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise ModelError(f"cannot read the tokenizer `{path}`: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        if lowercase:
            own = self._tokenizer.normalizer
            both = [Lowercase(), own] if own is not None else [Lowercase()]
            self._tokenizer.normalizer = NormalizerSequence(both)
        self._head, self._tail = self._special_tokens()
        end = None if eos is None else self._tokenizer.token_to_id(eos)
        if end is not None and end not in self._tail[-1:]:
            self._tail = np.append(self._tail, np.int64(end))

    @property
    def special_tokens(self) -> int:
        """How many tokens every text gets beside its own: 2 for BERT's `[CLS]` and `[SEP]`."""
        return len(self._head) + len(self._tail)

    def prompt(self, prefix: str) -> int:
        """Return how many tokens a text begins with that are not its own but of `prefix`."""
        bare = self._tokenizer.encode(prefix, add_special_tokens=False).ids
        return len(self._head) + len(bare) if prefix else 0

    def tokens(
        self,
        text: str,
        *,
        prefix: str,
        limit: int,
        truncate: bool,
        index: int,
        prompt: int = 0,
    ) -> Tokens:
        """Tokenise `prefix + text`, cut to `limit` tokens, special tokens included.

        The end of a text is what is cut, and special tokens stay, as in Hugging Face's
        tokenizers. `index` names the text in the error. `prompt` tokens leave the pooling, but
        never all.

        Raises:
            InputError: it is not Unicode.
            TextTooLong: it has more than `limit` tokens, and `truncate` is false.
            UsageError: `limit` leaves no room beside the special tokens.
        """
        room = limit - self.special_tokens
        if room < 1:
            raise UsageError(
                f"a limit of {limit} tokens leaves no room for text: "
                f"the special tokens alone take {self.special_tokens}"
            )
        text = prefix + text
        try:
            body, whole = self._body(text, room)
            truncated = not whole or len(body) > room
            if truncated and not truncate:
                raise TextTooLong(index=index, tokens=self._count(text), limit=limit)
        except TypeError as error:  # the library's, for a string that UTF-8 cannot hold
            raise InputError(
                f"text {index + 1} is not Unicode: it holds half of a surrogate pair"
            ) from error
        ids = np.concatenate([self._head, np.array(body[:room], dtype=np.int64), self._tail])
        return Tokens(ids, truncated, min(prompt, max(0, len(ids) - 1)))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return start and end of each token of `text`, in characters; special tokens left out."""
        spans: list[tuple[int, int]] = self._tokenizer.encode(
            text, add_special_tokens=False
        ).offsets
        return spans

    def _body(self, text: str, room: int) -> tuple[list[int], bool]:
        """Return the ids of `text`, at least the first `room`, and whether these are all."""
        size = room * _CHARACTERS_PER_TOKEN + _MARGIN
        while size < len(text):
            encoding = self._tokenizer.encode(text[:size], add_special_tokens=False)
            if len(encoding.ids) > room and encoding.offsets[room - 1][1] <= size - _MARGIN:
                return encoding.ids, False
            size *= 4
        return self._tokenizer.encode(text, add_special_tokens=False).ids, True

    def _count(self, text: str) -> str:
        """Say how many tokens the whole of `text` has, special ones included."""
        counted = self._tokenizer.encode(text[:_COUNTED], add_special_tokens=False).ids
        more = "more than " if len(text) > _COUNTED else ""
        return f"{more}{len(counted) + self.special_tokens}"

    def _special_tokens(self) -> tuple[TokenIds, TokenIds]:
        """Return what the post-processor puts before and after every text."""
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        full = self._tokenizer.encode("a").ids
        before = next(
            (i for i in range(len(full)) if full[i : i + len(bare)] == bare), len(full) - len(bare)
        )
        after = before + len(bare)
        return np.array(full[:before], np.int64), np.array(full[after:], np.int64)
