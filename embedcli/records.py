"""What travels between the rooms: frozen values, and the names of the arrays."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]  # (D,)
Vectors: TypeAlias = NDArray[np.float32]  # (N, D)
Hidden: TypeAlias = NDArray[np.float32]  # (B, T, D) hidden states, or (B, D) where a graph pools
TokenIds: TypeAlias = NDArray[np.int64]  # (T,)


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller asks for: everything beside the model that changes a text's vector.

    Two equal `Options` on the same model give equal vectors for equal texts.
    """

    prompt: str | None = None  # the name of a prompt that the model was trained with
    prefix: str | None = None  # a literal prompt; wins over `prompt`
    dimensions: int | None = None  # keep the first N values; None keeps all
    max_tokens: int | None = None  # a lower limit than the model's own
    truncate: bool = True  # False: a text over the limit is an error
    normalize: bool = True  # scale to unit length
    raises_limit: bool = False  # `max_tokens` may be higher, too: up to what the graph takes


DEFAULTS: Final = Options()


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text as the model sees it: prompt and special tokens included, cut to the limit."""

    ids: TokenIds  # (T,) int64
    truncated: bool
    prompt: int = 0  # how many leading tokens leave the pooling (models that say so), else 0


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text's vector with its receipt: the tokens the model saw, and whether the text was cut."""

    vector: Vector  # (D,) float32
    tokens: int
    truncated: bool
