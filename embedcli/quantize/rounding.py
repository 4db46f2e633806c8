"""Weights in 8 bits: rounded so that what a product loses is made up for by its other weights.

Knows arrays and nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from embedcli.quantize.numbers import Float, Wide

Bytes = NDArray[np.int8]

_MOST = 127
# A CPU without VNNI adds the products of two neighbours, 0 to 255 times a weight each, in 16 bits
# that saturate (x86's `vpmaddubsw`, in onnxruntime's kernels for AVX2 and AVX-512). Neighbours of
# one sign that come to no more than this together never do: 255 * 128 < 2 ** 15.
_MOST_TOGETHER = 128
_TINY = float(np.finfo(np.float32).tiny)  # smaller ones are nought to a float32
_DAMPING = 0.01  # of the mean of the diagonal, as in the reference code of GPTQ
_BLOCK = 128  # rows whose errors are passed on at once


def rounded(weights: Float, gram: Wide) -> tuple[Bytes, Float]:
    """Return `weights` (K, N) as int8 (K, N) and a scale for each column (N,) float32.

    `gram` (K, K) is the mean of x x' over the inputs x. A weight is rounded, and what that changes
    in the product is taken out of the weights that are not rounded yet (GPTQ,
    https://arxiv.org/abs/2210.17323, algorithm 1, the inputs with the largest squares first).
    """
    order = np.argsort(-np.diag(gram), kind="stable")
    left = weights.astype(np.float64)[order]
    factor = _inverse_factor(gram[np.ix_(order, order)])
    scales = _scales(weights)
    found = np.zeros((len(left) + 1, left.shape[1]))  # one more: the neighbour of an odd last
    for start in range(0, len(left), _BLOCK):
        end = min(start + _BLOCK, len(left))
        errors = np.empty((end - start, left.shape[1]))
        for at in range(start, end):
            low, high = _room(found[order[at] ^ 1])
            found[order[at]] = np.clip(np.rint(left[at] / scales), low, high)
            error = (left[at] - found[order[at]] * scales) / factor[at, at]
            left[at + 1 : end] -= np.outer(factor[at, at + 1 : end], error)
            errors[at - start] = error
        left[end:] -= factor[start:end, end:].T @ errors
    return found[:-1].astype(np.int8), scales.astype(np.float32)


def saturates(weights: Bytes) -> bool:
    """Say whether some inputs (K,) would overflow on a CPU without VNNI, for weights (K, N)."""
    return bool((_together(weights) > _MOST_TOGETHER).any())


def _inverse_factor(gram: Wide) -> Wide:
    """Return the upper Cholesky factor (K, K) of the inverse of `gram`, GPTQ's Hessian, damped.

    It says how a row's error is spread over the next ones.
    """
    damped = gram + np.eye(len(gram)) * max(_DAMPING * float(np.diag(gram).mean()), 1e-12)
    factor: Wide = np.linalg.cholesky(np.linalg.inv(damped)).T
    return factor


def _scales(weights: Float) -> Wide:
    """Return the scale of each column (N,): the least that all weights and neighbours fit into."""
    alone = np.abs(weights).max(axis=0) / _MOST
    fitting = np.maximum(alone, _together(weights).max(axis=0) / _MOST_TOGETHER)
    scales: Wide = np.where(fitting > _TINY, fitting, 1).astype(np.float32).astype(np.float64)
    return scales


def _room(neighbour: Wide) -> tuple[Wide, Wide]:
    """Return the least and the most (N,) that a row may be beside a neighbour (N,)."""
    low = np.maximum(-_MOST, -_MOST_TOGETHER - neighbour.clip(max=0))
    high = np.minimum(_MOST, _MOST_TOGETHER - neighbour.clip(min=0))
    return low, high


def _together(weights: Float | Bytes) -> Wide:
    """Return what neighbours of (K, N) come to, in the sign with the larger sum: (K / 2, N)."""
    even = np.pad(weights.astype(np.float64), ((0, len(weights) % 2), (0, 0)))
    pairs = even.reshape(-1, 2, weights.shape[1])
    above: Wide = pairs.clip(min=0).sum(axis=1)
    below: Wide = pairs.clip(max=0).sum(axis=1)
    return np.maximum(above, -below)
