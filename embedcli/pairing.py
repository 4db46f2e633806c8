"""Each result beside what it was made of, since a stream gives results alone, in their order."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from embedcli.embeds import Streams
from embedcli.errors import InputError, ModelError, TextTooLong, VectorError
from embedcli.records import Embedded, Options


class Placed(Protocol):
    """A text, and where it stands."""

    @property
    def text(self) -> str | None:
        """The text; None is an empty one."""

    @property
    def source(self) -> str:
        """The file as typed."""

    @property
    def line(self) -> int:
        """Its place in the file, from 1."""


P = TypeVar("P", bound=Placed)


def paired(engine: Streams, placed: Iterable[P], options: Options) -> Iterator[tuple[P, Embedded]]:
    """Yield each of `placed` with the vector of its text, in order, as they come.

    Raises:
        InputError: a text is too long; says where it stands.
        ModelError: the model failed on one.
    """
    waiting: deque[P] = deque()

    def texts() -> Iterator[str]:
        for one in placed:
            waiting.append(one)
            yield one.text or ""

    try:
        for embedded in engine.stream(texts(), options):
            yield waiting.popleft(), embedded
    except TextTooLong as error:  # comes after the results of all texts before it
        reason = f"too long: it has {error.tokens} tokens, the limit is {error.limit}"
        raise InputError(f"{_place(waiting[0])}: {reason}", hint=error.hint) from error
    except VectorError as error:
        reason = "the vector holds NaN or infinity: the model failed on it"
        raise ModelError(f"{_place(waiting[0])}: {reason}", hint=error.hint) from error


def _place(one: Placed) -> str:
    return f"{one.source}:{one.line}"
