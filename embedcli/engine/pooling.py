"""Hidden states to vectors: pool, cut to dimensions, scale to unit length.

Batches hold texts of one length, so no array here has padding and no function needs a mask.
Every row is computed by itself: a vector does not depend on its mates, not even in its last bit.
"""

from collections.abc import Callable, Sequence

import numpy as np

from embedcli.models.spec import Pooling
from embedcli.records import Hidden, Vectors


def mean(hidden: Hidden) -> Vectors:
    """Average over the tokens (Sentence-BERT, https://arxiv.org/abs/1908.10084, section 3)."""
    pooled: Vectors = hidden.mean(axis=1, dtype=np.float32)
    return pooled


def cls(hidden: Hidden) -> Vectors:
    """Take the first token, BERT's `[CLS]`."""
    return hidden[:, 0]


def last(hidden: Hidden) -> Vectors:
    """Take the last token, the only one that sees the whole text in a causal model."""
    return hidden[:, -1]


def maximum(hidden: Hidden) -> Vectors:
    """Take the largest value over the tokens, in each dimension."""
    pooled: Vectors = hidden.max(axis=1)
    return pooled


def mean_sqrt(hidden: Hidden) -> Vectors:
    """Sum over the tokens, divided by the root of how many there are."""
    pooled: Vectors = hidden.sum(axis=1, dtype=np.float32) / np.float32(hidden.shape[1]) ** 0.5
    return pooled


def weighted_mean(hidden: Hidden, before: int = 0) -> Vectors:
    """Average with weights 1, 2, 3, ... by place (SGPT, https://arxiv.org/abs/2202.08904).

    The first place is the one after `before` others.
    """
    weights = np.arange(before + 1, before + hidden.shape[1] + 1, dtype=np.float32)
    pooled: Vectors = (hidden * weights[:, None]).sum(axis=1, dtype=np.float32) / weights.sum()
    return pooled


POOLERS: dict[Pooling, Callable[[Hidden], Vectors]] = {
    Pooling.MEAN: mean,
    Pooling.CLS: cls,
    Pooling.LAST: last,
    Pooling.MAX: maximum,
    Pooling.MEAN_SQRT: mean_sqrt,
    Pooling.WEIGHTED_MEAN: weighted_mean,
}


def pool(hidden: Hidden, poolings: Sequence[Pooling], *, prompt: int = 0) -> Vectors:
    """Pool hidden states (B, T, D) by `poolings`: (B, D), or wider if they are several.

    The first `prompt` tokens are left out.
    """
    kept = hidden[:, prompt:]
    rows = [
        weighted_mean(kept, prompt) if each is Pooling.WEIGHTED_MEAN else POOLERS[each](kept)
        for each in poolings
    ]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)


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
