"""What quantising cost and what it gained: numbers, and how they are told."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embedcli.engine.embedder import Embedder
from embedcli.records import Vectors

_ROUNDS = 5
_NEAREST = 10
_QUERIES = 500


@dataclass(frozen=True, slots=True)
class Likeness:
    """How near the vectors of one graph are to those of another."""

    mean: float  # cosine, over the texts
    first_percentile: float
    worst: float
    overlap: float  # of the ten nearest texts, both ways of finding them


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second, in runs that alternate; the median of the ratios is what counts."""

    original: float
    quantised: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Report:
    """What there is to say of a quantised model."""

    texts: int  # how many it was judged by
    likeness: Likeness
    speed: Speed
    original_size: int  # bytes, of graph and weights
    size: int
    in_eight_bits: int  # products
    kept: tuple[tuple[str, str], ...]  # a product that stays as it was, and why


def likeness(original: Vectors, quantised: Vectors) -> Likeness:
    """Compare the unit vectors (N, D) of the same texts."""
    cosines = np.einsum("nd,nd->n", original, quantised, dtype=np.float64)
    return Likeness(
        mean=float(cosines.mean()),
        first_percentile=float(np.percentile(cosines, 1)),
        worst=float(cosines.min()),
        overlap=_overlap(original, quantised),
    )


def _overlap(original: Vectors, quantised: Vectors) -> float:
    """Return which share of a text's nearest others stays, over the first texts as queries."""
    count = min(_NEAREST, len(original) - 1)
    before, after = _nearest(original, count), _nearest(quantised, count)
    shared = [len(np.intersect1d(a, b)) / count for a, b in zip(before, after, strict=True)]
    return statistics.fmean(shared)


def _nearest(vectors: Vectors, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    queries = vectors[:_QUERIES]
    scores = queries @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def speed(original: Embedder, quantised: Embedder, texts: Sequence[str]) -> Speed:
    """Measure both in turn, so that a machine whose speed drifts is fair to both."""
    tokens = sum(row.tokens for row in original.submit(texts).result())
    quantised.embed(texts[:1])
    rates = [
        (_rate(original, texts, tokens), _rate(quantised, texts, tokens)) for _ in range(_ROUNDS)
    ]
    return Speed(
        original=statistics.median(before for before, _ in rates),
        quantised=statistics.median(after for _, after in rates),
        ratio=statistics.median(after / before for before, after in rates),
    )


def _rate(embedder: Embedder, texts: Sequence[str], tokens: int) -> float:
    started = time.perf_counter()
    embedder.embed(texts)
    return tokens / (time.perf_counter() - started)


def table(report: Report) -> str:
    """Return the report as a Markdown table."""
    found, pace = report.likeness, report.speed
    rows = (
        ("cosine to the original, mean", f"{found.mean:.5f}"),
        ("cosine, first percentile", f"{found.first_percentile:.4f}"),
        ("cosine, worst", f"{found.worst:.4f}"),
        ("overlap of the ten nearest", f"{found.overlap:.3f}"),
        ("tokens a second, original", f"{pace.original:,.0f}"),
        ("tokens a second, quantised", f"{pace.quantised:,.0f} ({pace.ratio:.2f} times)"),
        ("size, original", f"{report.original_size / 1e6:,.1f} MB"),
        ("size, quantised", f"{report.size / 1e6:,.1f} MB"),
        ("products in 8 bits", f"{report.in_eight_bits}"),
        ("products left as they were", f"{len(report.kept)}"),
    )
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"| over {report.texts} texts held out | |", "| --- | --- |", *lines])
