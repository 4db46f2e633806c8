"""Cuts a long text into windows of tokens, at word boundaries where it can.

Windows follow one another through the text, and together they cover it. Only as much of the text
is tokenised at a time as one window needs, so neither time nor memory asks how long it is.
"""

from collections.abc import Iterator
from itertools import pairwise

from embedcli.engine.tokens import Tokenizer
from embedcli.errors import UsageError

_LONGEST = 1 << 16  # characters: there are words that any number of them make one token of
_MARGIN = 64  # characters looked at beyond a window, so that its last word is seen whole


class Windows:
    """How texts are cut: into at most `size` tokens, of which `overlap` come twice."""

    def __init__(self, tokenizer: Tokenizer, *, prefix: str, size: int, overlap: int) -> None:
        """Take the size of a window as the model sees it: `prefix` and special tokens included."""
        self._tokenizer = tokenizer
        self._prefix = prefix
        self.size = size
        self.overlap = overlap
        self._room = size - tokenizer.special_tokens - len(tokenizer.spans(prefix))

    def check(self, limit: int) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: windows are larger than `limit`, have no room, or would not move on.
        """
        if self.size > limit:
            raise UsageError(
                f"windows of {self.size} tokens are not possible: the limit is {limit}",
                hint=f"--chunk {limit} or less",
            )
        if self._room < 1:
            raise UsageError(
                f"windows of {self.size} tokens leave no room for text: "
                f"prompt and special tokens take {self.size - self._room}"
            )
        if not 0 <= self.overlap < self._room:
            raise UsageError(
                f"an overlap of {self.overlap} tokens is not possible: "
                f"a window has room for {self._room} of the text"
            )

    def of(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of each window: `text[start:end]`, in characters."""
        start, end, reach = 0, -1, 8 * self._room
        while True:
            bounds, reach = self._bounds(text, start, reach)
            last = self._last(text, start, bounds)
            # A character of more tokens than fit is a window of its own: it will be cut.
            before, end = end, start + 1 if last is None else bounds[last]
            if end <= before:  # alone, what comes twice has more tokens: it leaves no room
                start = end = before
                continue
            yield start, end
            if end >= len(text):
                return
            start = end if last is None else bounds[self._back(text, bounds, last)]

    def _bounds(self, text: str, start: int, reach: int) -> tuple[list[int], int]:
        """Return where a window from `start` may end, and how far had to be looked for that.

        `bounds[i]` is the place behind i tokens; a place inside a character's tokens is the last
        before it. There are as many as fit into a window, and the text's end if that does.
        """
        room = self._room
        while True:
            piece = text[start : start + reach + _MARGIN]
            spans = self._tokenizer.spans(piece)
            whole = start + len(piece) == len(text)
            if len(spans) > room or whole or reach >= _LONGEST:
                break
            reach = min(2 * reach, _LONGEST)
        bounds, seen = [start], 0
        for (_, before), (begin, _) in pairwise(spans[: room + 1]):
            seen = max(seen, before)
            bounds.append(start + begin if begin >= seen else bounds[-1])
        if len(spans) <= room:
            bounds.append(start + len(piece))
        return bounds, min(_MARGIN + (bounds[-1] - start) * 5 // 4, _LONGEST)

    def _last(self, text: str, start: int, bounds: list[int]) -> int | None:
        """Return the index of the bound that the window from `start` ends at, if one will do."""
        for last in self._by_preference(text, bounds):
            ahead = bounds[last] > start or not text
            if ahead and self._fits(text[start : bounds[last]]):
                return last
        return None

    def _by_preference(self, text: str, bounds: list[int]) -> Iterator[int]:
        """Yield bounds, the furthest first; those between words before all others."""
        far = range(len(bounds) - 1, 0, -1)
        if bounds[-1] == len(text):
            yield far[0]
        yield from (i for i in far[: max(1, len(far) // 2)] if _between_words(text, bounds[i]))
        yield from far

    def _back(self, text: str, bounds: list[int], last: int) -> int:
        """Return the bound where the next window starts: `overlap` tokens before the last."""
        inside = [i for i in range(max(1, last - self.overlap), last) if bounds[i] > bounds[0]]
        words = [i for i in inside if _between_words(text, bounds[i])]
        return (words or inside or [last])[0]

    def _fits(self, window: str) -> bool:
        """Whether a window alone has no more tokens than in its text: nearly always so."""
        tokens = self._tokenizer.tokens(
            window, prefix=self._prefix, limit=self.size, truncate=True, index=0
        )
        return not tokens.truncated


def _between_words(text: str, place: int) -> bool:
    return place == len(text) or text[place].isspace() or text[place - 1].isspace()
