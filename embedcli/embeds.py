"""What the commands need of a model, wherever it runs: here, or on a server."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Protocol

from embedcli.models.spec import ModelSpec
from embedcli.outcomes import Outcome
from embedcli.records import Embedded, Options, Vectors


class Submits(Protocol):
    """What takes texts in one go."""

    def submit(self, texts: Sequence[str], options: Options = ...) -> Future[list[Embedded]]:
        """Return a future of the vectors of `texts`, with their receipts."""


class Streams(Protocol):
    """What takes texts as they come: a model, or a memory before it."""

    def stream(self, texts: Iterable[str], options: Options = ...) -> Iterator[Embedded]:
        """Yield the vectors of any number of texts, in order, as they come.

        An error of one text comes after the results of those before it, and ends the stream.
        """

    def outcomes(self, texts: Iterable[str], options: Options = ...) -> Generator[Outcome]:
        """Yield as `stream` does, but for a text that has no vector its error, and go on."""


class Engine(Submits, Streams, Protocol):
    """What takes texts either way."""


class Embeds(Engine, Protocol):
    """A model that is ready to embed; `engine.embedder.Embedder` says what each of these does."""

    spec: ModelSpec
    threads: int  # cores of this machine that the work may use

    def embed(self, texts: Sequence[str], options: Options = ...) -> Vectors:
        """Return the vectors (N, D) float32 of `texts`."""

    def load(self) -> None:
        """Make ready now, rather than with the first text."""

    def close(self) -> None:
        """Give back what is held."""
