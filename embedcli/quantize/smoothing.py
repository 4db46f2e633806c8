"""How an input is scaled into 8 bits: factors per channel, and a range, found by trying.

Knows arrays and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embedcli.quantize.numbers import Float, Wide

_LEVELS = 255
_ALPHAS = (0.7, 0.85, 1.0)  # how far outliers move from the inputs into the weights
_LEANS = (0.05, 0.2, 0.5, 1.0)  # the short side's share of the long side's reach
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Seen:
    """What calibration saw of the input of one or more products; K channels."""

    low: Float  # (K,)
    high: Float  # (K,)
    mean: Float  # (K,)
    gram: Wide  # (K, K), the mean of x x'
    sample: Float  # (S, K), some of the tokens


@dataclass(frozen=True, slots=True)
class Scaling:
    """How an input x (..., K) becomes uint8: round(x / factors / step) + zero, cut to 0 to 255."""

    factors: Float  # (K,)
    step: float
    zero: int

    def apply(self, inputs: Float) -> Float:
        """Return (S, K) as it is after quantising, in units of the factors."""
        levels = np.rint(inputs / self.factors / np.float32(self.step)) + self.zero
        exact: Float = (levels.clip(0, _LEVELS) - self.zero) * np.float32(self.step)
        return exact


def chosen(seen: Seen, matrices: Sequence[Float]) -> Scaling:
    """Return the scaling under which the products of the sample with `matrices` change least.

    Factors move outliers of the input into the weights (SmoothQuant,
    https://arxiv.org/abs/2211.10438, equation 4). An input that is lopsided, as after GELU, which
    gives down to -0.17 and up to 10, would waste half of its levels if all channels were scaled to
    the same reach on both sides; so the short side is given a share of the long one's, the lean.
    """
    exact = [seen.sample @ matrix for matrix in matrices]
    tried = [_scaling(seen, matrices, alpha, lean) for alpha in _ALPHAS for lean in _LEANS]
    return min(tried, key=lambda scaling: _loss(scaling, seen, matrices, exact))


def _scaling(seen: Seen, matrices: Sequence[Float], alpha: float, lean: float) -> Scaling:
    up, down = seen.high.clip(min=0), (-seen.low).clip(min=0)
    lopsided = up.max() >= down.max()
    reach = np.maximum(up, down / lean) if lopsided else np.maximum(down, up / lean)
    peaks = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    raw = np.maximum(reach, _TINY) ** alpha / np.maximum(peaks, _TINY) ** (1 - alpha)
    factors = (raw / np.exp(np.log(raw).mean())).astype(np.float32)
    low, high = -float((down / factors).max()), float((up / factors).max())
    step = float(np.float32(max(high - low, _TINY) / _LEVELS))
    return Scaling(factors, step, min(_LEVELS, round(-low / step)))


def _loss(scaling: Scaling, seen: Seen, matrices: Sequence[Float], exact: Sequence[Float]) -> float:
    """Return the squared error of the products, with weights that are rounded to the nearest."""
    inputs = scaling.apply(seen.sample)
    loss = 0.0
    for matrix, product in zip(matrices, exact, strict=True):
        scaled = matrix * scaling.factors[:, None]
        scales = np.maximum(np.abs(scaled).max(axis=0), _TINY) / 127
        loss += float(np.square(inputs @ (np.rint(scaled / scales) * scales) - product).sum())
    return loss
