"""Ranks vectors: what is closest to a query, everything against everything, near-duplicates.

Knows arrays and nothing else. A score is a sum in float64 that depends on its two rows alone, so
equal rows score equally wherever they stand, and ties keep the order of the input.
"""

import heapq
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedcli.errors import InputError
from embedcli.records import Vector, Vectors

Scores = NDArray[np.float64]

_BLOCK = 8192  # rows; of 384 float32 each, 12 MB: large against a call's cost, small to hold
_TILE = 1024  # rows of a square of near-duplicates: 4 MB of scores
_PAIRS = 2048  # pairs scored at once: of 384 values each, 25 MB
_DOUBT = 1e-5  # no float32 sum of products of unit vectors is further from the exact one


class NotFinite(InputError):
    """A vector with NaN or infinity; `row` is its place in the array, from 0."""

    def __init__(self, *, row: int) -> None:
        super().__init__(f"vector {row + 1} holds NaN or infinity")
        self.row = row


class Ranked(Protocol):
    """What can be ranked: by its score, and by its place among those that score alike."""

    @property
    def score(self) -> float:
        """How close it is."""

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands in the input."""


R = TypeVar("R", bound=Ranked)


@dataclass(frozen=True, slots=True)
class Hit:
    """A row, counted from 0, and its score."""

    row: int
    score: float

    @property
    def place(self) -> tuple[int, ...]:
        """Where it stands in the input."""
        return (self.row,)


def scores(
    query: Vector | Vectors, rows: Vectors, *, cosine: bool = True, first: int = 0
) -> Scores:
    """Return the cosine of each row (N, D) with `query`, or the dot product; (N,) float64.

    `query` is one vector (D,), or one for each row (N, D). A row of zeros has no direction; its
    cosine counts as 0. `first` is the number of the first row.

    Raises:
        NotFinite: a row holds NaN or infinity.
    """
    wide, target = rows.astype(np.float64), query.astype(np.float64)
    found: Scores = (wide * target).sum(axis=1)
    _refuse_bad(found, first)
    if not cosine:
        return found
    lengths = np.sqrt((wide * wide).sum(axis=1)) * np.sqrt((target * target).sum(axis=-1))
    cosines: Scores = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)
    return cosines.clip(-1, 1)


def matrix(rows: Vectors, *, cosine: bool = True) -> Scores:
    """Return the score of each row (N, D) with each: (N, N) float64."""
    return np.stack([scores(row, rows, cosine=cosine) for row in rows])


def best(found: Iterable[R], *, top: int, least: float | None = None) -> list[R]:
    """Return the `top` that score `least` or more: best first, ties in the order of the input."""
    worthy = (one for one in found if least is None or one.score >= least)
    return heapq.nsmallest(top, worthy, key=lambda one: (-one.score, one.place))


def rank(
    query: Vector,
    rows: Vectors,
    *,
    top: int,
    least: float | None = None,
    cosine: bool = True,
    unit: bool = False,
    threads: int = 1,
) -> list[Hit]:
    """Return the best rows of a large array (N, D), such as a file mapped into memory.

    Reads `rows` once, in blocks, on `threads` cores: a float32 product finds who is in question,
    and only those are scored exactly. `unit` says that all rows have length 1, which saves
    measuring them.

    Raises:
        NotFinite: a row holds NaN or infinity.
    """
    rough = np.empty(len(rows), np.float32)
    target = query / np.linalg.norm(query) if cosine and query.any() else query

    def score(start: int) -> float:
        block = np.asarray(rows[start : start + _BLOCK], dtype=np.float32)
        part = rough[start : start + _BLOCK]
        np.dot(block, target, out=part)
        _refuse_bad(part, start)
        if unit:
            return 1.0
        lengths = np.sqrt(np.einsum("nd,nd->n", block, block))
        if not cosine:
            return float(lengths.max())
        np.divide(part, lengths, out=part, where=lengths > 0)
        return 1.0

    with ThreadPoolExecutor(threads) as cores:
        longest = max(cores.map(score, range(0, len(rows), _BLOCK)), default=1.0)
    doubt = _DOUBT * longest * (1.0 if cosine else float(np.linalg.norm(query)))
    chosen = _in_question(rough, top=top, least=least, doubt=doubt)
    return best(_exact(query, rows, chosen, cosine=cosine), top=top, least=least)


def groups(rows: Vectors, least: float) -> list[list[int]]:
    """Return the groups of rows (N, D) that a chain of cosines of `least` or more connects.

    Groups stand in the order of their first rows; a row that is like no other is in none.
    """
    together = _Groups(len(rows))
    distinct = np.array(_distinct(rows, least, together), np.int64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = (rows / np.where(lengths > 0, lengths, 1))[distinct]
    for top in range(0, len(distinct), _TILE):
        for left in range(top, len(distinct), _TILE):
            tile = unit[top : top + _TILE] @ unit[left : left + _TILE].T
            near = np.argwhere(tile >= least - _DOUBT) + np.array((top, left))
            _join(rows, distinct[near[near[:, 0] < near[:, 1]]], least, together)
    return together.found()


class _Groups:
    """Rows that belong together: each has a leader, who is the first of its group in the end."""

    def __init__(self, number: int) -> None:
        self._leaders = np.arange(number)

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self._lead(one), self._lead(other)))
        self._leaders[second] = first

    def leaders(self) -> NDArray[np.int64]:
        """Return the first row of each row's group."""
        while (self._leaders != (further := self._leaders[self._leaders])).any():
            self._leaders = further
        return self._leaders

    def found(self) -> list[list[int]]:
        """Return the groups of two and more."""
        groups: dict[int, list[int]] = {}
        for row, leader in enumerate(self.leaders().tolist()):
            groups.setdefault(leader, []).append(row)
        return [group for group in groups.values() if len(group) > 1]

    def _lead(self, row: int) -> int:
        while (leader := int(self._leaders[row])) != row:
            row = leader
        return row


def _distinct(rows: Vectors, least: float, together: _Groups) -> list[int]:
    """Return the rows that are equal to none before them, and join the others to theirs."""
    seen: dict[bytes, int] = {}
    distinct = []
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        # Even to itself a row may be too unlike: one of zeros, or where rounding leaves 1 - 1e-16.
        alike = scores(block, block, first=start) >= least
        for row, is_alike in enumerate(alike.tolist(), start):
            first = seen.setdefault(rows[row].tobytes(), row) if is_alike else row
            if first == row:
                distinct.append(row)
            else:
                together.join(first, row)
    return distinct


def _join(rows: Vectors, pairs: NDArray[np.int64], least: float, together: _Groups) -> None:
    """Join those of `pairs` (N, 2) whose cosine is `least` or more, and which are apart yet."""
    while len(pairs):
        leaders = together.leaders()[pairs]
        pairs = pairs[leaders[:, 0] != leaders[:, 1]]
        some, pairs = pairs[:_PAIRS], pairs[_PAIRS:]
        exact = scores(rows[some[:, 0]], rows[some[:, 1]])
        for one, other in some[exact >= least].tolist():
            together.join(one, other)


def _in_question(
    rough: NDArray[np.float32], *, top: int, least: float | None, doubt: float
) -> NDArray[np.int64]:
    """Return the rows that may be among the best, given how wrong their rough scores may be."""
    floor = -np.inf if least is None else least
    if top < len(rough):
        floor = max(floor, float(np.partition(rough, len(rough) - top)[len(rough) - top]))
    return np.flatnonzero(rough >= floor - 2 * doubt)


def _exact(
    query: Vector, rows: Vectors, chosen: NDArray[np.int64], *, cosine: bool
) -> Iterator[Hit]:
    for start in range(0, len(chosen), _BLOCK):
        part = chosen[start : start + _BLOCK]
        exact = scores(query, rows[part], cosine=cosine)
        yield from map(Hit, part.tolist(), exact.tolist())


def _refuse_bad(found: NDArray[np.float32] | Scores, first: int) -> None:
    if not np.isfinite(found).all():
        bad = first + int(np.flatnonzero(~np.isfinite(found))[0])
        raise NotFinite(row=bad)
