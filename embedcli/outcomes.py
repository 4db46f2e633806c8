"""What becomes of each text of a stream: its vector, or what is wrong with it alone."""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TypeAlias

from embedcli.errors import TextTooLong, VectorError
from embedcli.records import Embedded

Outcome: TypeAlias = Embedded | TextTooLong | VectorError


def vectors(outcomes: Generator[Outcome]) -> Iterator[Embedded]:
    """Yield the vectors up to the first text that has none.

    Raises:
        TextTooLong: it is over the limit; its place is that among the outcomes.
        VectorError: the model gave NaN or infinity for it; likewise.
    """
    with closing(outcomes):
        for index, outcome in enumerate(outcomes):
            if not isinstance(outcome, Embedded):
                raise outcome.at(index)
            yield outcome
