"""What can go wrong, as a small family without codes.

    EmbedError
    ├── UsageError          what is asked for cannot be: an unknown prompt, too many dimensions
    ├── InputError          input that cannot be read
    │   └── TextTooLong     a text over the limit, where cutting it was forbidden
    ├── ModelError          a model that is damaged, or of a kind that cannot be run
    │   ├── ModelNotFound   a name, repo or folder that leads to no model
    │   └── VectorError     a model that gave NaN or infinity for a text
    ├── NetworkError        the network is needed, but absent or forbidden
    └── OutputError         output that cannot be written

Exit codes are given once in `cli.main`, HTTP statuses once in `server.app`; both by `code_for`.
"""

from collections.abc import Mapping
from typing import Self


class EmbedError(Exception):
    """One line on what happened and why, and where there is one, the next step."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class UsageError(EmbedError):
    """What is asked for cannot be."""


class InputError(EmbedError):
    """Input that cannot be read."""


class TextTooLong(InputError):
    """A text over the limit, where cutting it was forbidden; `index` is its place in the call."""

    def __init__(self, *, index: int, tokens: str, limit: int) -> None:
        super().__init__(
            f"text {index + 1} is too long: it has {tokens} tokens, the limit is {limit}",
            hint="leave out --no-truncate to cut it, or split the text",
        )
        self.index = index
        self.tokens = tokens
        self.limit = limit

    def at(self, index: int) -> Self:
        """Return the same of a text that has another place."""
        return type(self)(index=index, tokens=self.tokens, limit=self.limit)


class ModelError(EmbedError):
    """A model that is damaged, or of a kind that cannot be run."""


class ModelNotFound(ModelError):
    """A name, repo or folder that leads to no model."""


class VectorError(ModelError):
    """A model that gave NaN or infinity for a text; `index` is its place in the call."""

    def __init__(self, *, index: int) -> None:
        super().__init__(
            f"the vector of text {index + 1} holds NaN or infinity: the model failed on it",
            hint="try another variant of the model: half-precision graphs overflow most often",
        )
        self.index = index

    def at(self, index: int) -> Self:
        """Return the same of a text that has another place."""
        return type(self)(index=index)


class NetworkError(EmbedError):
    """The network is needed, but absent or forbidden."""


class OutputError(EmbedError):
    """Output that cannot be written."""


def code_for(error: EmbedError, codes: Mapping[type[EmbedError], int]) -> int:
    """Return the code of the closest ancestor of `error` that `codes` names."""
    return next(codes[kind] for kind in type(error).__mro__ if kind in codes)
