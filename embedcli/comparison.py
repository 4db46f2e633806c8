"""Compares texts and stored vectors: a query with all of them, or each with each.

What is compared comes from arguments, from inputs of `embed file`, and from what it stored. Texts
are embedded on the way and stored vectors are used as they are; only the best are held, and all of
them only where each is compared with each.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from embedcli import similar
from embedcli.candidates import (
    Candidate,
    check,
    is_unit,
    of_arguments,
    of_records,
    of_stored,
    sides,
)
from embedcli.embeds import Streams
from embedcli.errors import InputError
from embedcli.formats import inputs, stored
from embedcli.formats.inputs import Reading
from embedcli.models.spec import ModelSpec
from embedcli.pairing import paired
from embedcli.records import Embedded, Options, Vector, Vectors

_BLOCK = 256  # candidates that are scored at once

Pair = tuple[Candidate, Vector]


@dataclass(frozen=True, slots=True)
class Match:
    """A candidate and how close it is."""

    candidate: Candidate
    score: float
    place: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and how its vectors are made."""

    spec: ModelSpec
    engine: Streams  # for arguments and the query
    files: Streams  # for texts of files, which come again
    options: Options
    reading: Reading
    arguments: Sequence[str]
    inputs: Sequence[str]
    texts: str | None = None  # the file that holds the texts of an NPY file
    dot: bool = False
    threads: int = 1
    report: Callable[[Embedded], None] = lambda _: None

    def closest(self, query: str, *, top: int, least: float | None) -> list[Match]:
        """Return the `top` candidates that score `least` or more, best first.

        Raises:
            InputError: there are no candidates, or they cannot be read or do not fit.
        """
        asked, _ = sides(self.spec, self.options)
        target = next(iter(self.engine.stream([query], asked))).vector
        counted = _Counted()
        scored = [counted(self._scored(target, self._arguments(), 0))]
        for source, name in enumerate(self.inputs, 1):
            if stored.is_array(name):
                rows = self._array(name)
                counted.number += len(rows)
                scored.append(self._ranked(target, rows, name, source, top=top, least=least))
            else:
                scored.append(counted(self._scored(target, self._pairs(name), source)))
        best = similar.best(chain.from_iterable(scored), top=top, least=least)
        counted.refuse_none()
        return best

    def everything(self) -> tuple[list[Candidate], Vectors]:
        """Return all candidates and their vectors (N, D) float32.

        Raises:
            InputError: there are none, or they cannot be read or do not fit.
        """
        pairs = chain(self._arguments(), *(self._all_of(name) for name in self.inputs))
        candidates, vectors = [], []
        for candidate, vector in pairs:
            candidates.append(candidate.light())
            vectors.append(vector)
        if not candidates:
            raise InputError(_NOTHING, hint=_SOURCES)
        rows = np.stack(vectors)
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if bad.size:
            raise _not_finite(candidates[bad[0]].source, candidates[bad[0]].line)
        return candidates, rows

    def _arguments(self) -> Iterator[Pair]:
        return self._embedded(of_arguments(self.arguments), self.engine)

    def _pairs(self, name: str) -> Iterator[Pair]:
        """Yield the records of an input with their vectors, stored or new."""
        if not stored.holds_vectors(name, self.reading):
            return self._embedded(of_records(inputs.read([name], self.reading)), self.files)
        return self._stored(name)

    def _all_of(self, name: str) -> Iterator[Pair]:
        if not stored.is_array(name):
            return self._pairs(name)
        rows = self._array(name)
        return zip(
            self._named(name, range(len(rows)), len(rows)),
            np.asarray(rows, np.float32),
            strict=True,
        )

    def _embedded(self, candidates: Iterable[Candidate], engine: Streams) -> Iterator[Pair]:
        """Yield candidates with their new vectors."""
        _, options = sides(self.spec, self.options)
        for candidate, embedded in paired(engine, candidates, options):
            self.report(embedded)
            yield candidate, embedded.vector

    def _stored(self, name: str) -> Iterator[Pair]:
        _, options = sides(self.spec, self.options)
        for number, (record, vector) in enumerate(stored.rows(name, self.reading)):
            if not number:
                check(name, len(vector), self.spec, options)
            yield of_stored(record), vector

    def _array(self, name: str) -> Vectors:
        rows = stored.array(name)
        _, options = sides(self.spec, self.options)
        check(name, rows.shape[1], self.spec, options)
        return rows

    def _scored(self, query: Vector, pairs: Iterator[Pair], source: int) -> Iterator[Match]:
        """Score candidates as they come, some at a time."""
        first = 0
        while block := list(islice(pairs, _BLOCK)):
            rows = np.stack([vector for _, vector in block])
            scores = similar.scores(query, rows, cosine=not self.dot, first=first)
            for number, ((candidate, _), score) in enumerate(zip(block, scores, strict=True)):
                yield Match(candidate, float(score), (source, first + number))
            first += len(block)

    def _ranked(
        self,
        query: Vector,
        rows: Vectors,
        name: str,
        source: int,
        *,
        top: int,
        least: float | None,
    ) -> Iterator[Match]:
        """Yield the best rows of an NPY file."""
        try:
            hits = similar.rank(
                query,
                rows,
                top=top,
                least=least,
                cosine=not self.dot,
                unit=is_unit(name),
                threads=self.threads,
            )
        except similar.NotFinite as error:
            raise _not_finite(name, error.row + 1) from error
        in_order = sorted(hits, key=lambda hit: hit.row)
        named = self._named(name, dict.fromkeys(hit.row for hit in in_order), len(rows))
        for hit, candidate in zip(in_order, named, strict=True):
            yield Match(candidate, hit.score, (source, hit.row))

    def _named(self, name: str, rows: Collection[int], number: int) -> Iterator[Candidate]:
        """Yield what stands at `rows`, which rise, of an NPY file: its texts lie in another.

        Raises:
            InputError: that has not the `number` of texts that there are vectors.
        """
        if self.texts is None:
            yield from (Candidate(name, row + 1) for row in rows)
            return
        reached = 0
        for reached, candidate in enumerate(of_records(inputs.read([self.texts], self.reading)), 1):
            if reached - 1 in rows:
                yield candidate
        if reached != number:
            raise InputError(
                f"`{self.texts}` has {reached:,} texts, and `{name}` {number:,} vectors: "
                "they do not belong together"
            )


_NOTHING = "there is nothing to compare with"
_SOURCES = "give candidates as arguments, with --in FILE, or on standard input"


def _not_finite(source: str, line: int) -> InputError:
    return InputError(f"{source}:{line}: the vector holds NaN or infinity")


class _Counted:
    """Counts the candidates that pass, so that none at all can be told from none good enough."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, matches: Iterator[Match]) -> Iterator[Match]:
        for match in matches:
            self.number += 1
            yield match

    def refuse_none(self) -> None:
        if not self.number:
            raise InputError(_NOTHING, hint=_SOURCES)
