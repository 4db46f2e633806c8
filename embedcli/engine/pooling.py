"""Hidden states to vectors: pool, cut to dimensions, scale to unit length.

Batches hold texts of one length, so no array here has padding and no function needs a mask.
Every row is computed by itself: a vector does not depend on its mates, not even in its last bit.
"""

from collections.abc import Callable

import numpy as np

from embedcli.models.spec import ModelSpec, Pooling
from embedcli.records import Hidden, Vectors


def mean(hidden: Hidden) -> Vectors:
    """Average over the tokens (Sentence-BERT, https://arxiv.org/abs/1908.10084, section 3)."""
    pooled: Vectors = hidden.mean(axis=1, dtype=np.float32)
    return pooled


def first(hidden: Hidden) -> Vectors:
    """Take the first token, BERT's `[CLS]`."""
    return hidden[:, 0]


def last(hidden: Hidden) -> Vectors:
    """Take the last token, the only one that sees the whole text in a causal model."""
    return hidden[:, -1]


POOLERS: dict[Pooling, Callable[[Hidden], Vectors]] = {
    Pooling.MEAN: mean,
    Pooling.CLS: first,
    Pooling.LAST: last,
}


def pool(hidden: Hidden, spec: ModelSpec) -> Vectors:
    """Pool hidden states (B, T, D) as the model was trained to: (B, D), or wider if several ways.

    The tokens of a prompt that is to be left out must not be among them.
    """
    ways = [POOLERS[way](hidden) for way in spec.pooling]
    return ways[0] if len(ways) == 1 else np.concatenate(ways, axis=1)


def unit(vectors: Vectors) -> Vectors:
    """Scale each row of (N, D) float32 to length 1; a row of zeros stays as it is.

    Sums in float32 and multiplies by the reciprocal, as Ollama's server does
    (`server/routes.go`, `normalize`), so that both agree in the last digits.
    """
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True, dtype=np.float32))
    scaled: Vectors = vectors * (np.float32(1) / np.maximum(lengths, np.float32(1e-12)))
    return scaled


def finish(vectors: Vectors, *, dimensions: int | None, normalize: bool) -> Vectors:
    """Keep the first `dimensions` values of each row (N, D), then scale to unit length if asked."""
    kept = vectors if dimensions is None else vectors[:, :dimensions]
    return unit(kept) if normalize else kept
