"""What is read ahead: a source drained in a thread of its own, as far as there is room."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Begun(Protocol):
    """Work under way."""

    def cancel(self) -> object:
        """Drop what has not been done of it."""


B = TypeVar("B", bound=Begun)


class Feed(Generic[T]):
    """Things that have been read and not yet been taken, in order."""

    def __init__(
        self, source: Iterable[T], *, room: int, weigh: Callable[[T], int] = lambda _: 1
    ) -> None:
        """Begin to read `source`, as long as what waits weighs less than `room`."""
        self._room = room
        self._weigh = weigh
        self._waiting: deque[tuple[T, int]] = deque()
        self._weight = 0
        self._changed = threading.Condition()
        self._ended = False
        self._error: Exception | None = None
        threading.Thread(
            target=self._fill, args=(source,), name="embed-feeder", daemon=True
        ).start()

    def take(self, most: int, *, wait: bool) -> list[T]:
        """Return up to `most` of what has come; with `wait`, at least one unless at the end.

        Raises whatever stopped the source, once all before it has been taken.
        """
        taken: list[T] = []
        with self._changed:
            if wait and not self._waiting:
                self._changed.wait_for(lambda: self._waiting or self._ended)
            while self._waiting and len(taken) < most:
                thing, weight = self._waiting.popleft()
                self._weight -= weight
                taken.append(thing)
            if self._weight <= self._room // 2:
                self._changed.notify_all()
        if wait and not taken and self._error is not None:
            raise self._error
        return taken

    def __iter__(self) -> Iterator[T]:
        """Yield one after another as they come."""
        while taken := self.take(1, wait=True):
            yield from taken

    def begun(self, begin: Callable[[list[T]], B], *, size: int, ahead: int) -> Generator[B]:
        """Yield what `begin` makes of some at a time: up to `size`, or as many as have come.

        Up to `ahead` of these are under way while the one before them is taken. The feed ends with
        the generator.
        """
        under_way: deque[B] = deque()
        try:
            while True:
                room = len(under_way) < ahead
                some = self.take(size, wait=not under_way) if room else []
                if some:
                    under_way.append(begin(some))
                elif under_way:
                    yield under_way.popleft()
                else:
                    return
        finally:
            self.stop()
            for unfinished in under_way:
                unfinished.cancel()

    def stop(self) -> None:
        """Let the thread end; nobody takes anything any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _fill(self, source: Iterable[T]) -> None:
        try:
            for thing in source:
                if not self._append(thing, self._weigh(thing)):
                    return
        except Exception as error:  # of the source: told in its place
            self._error = error
        finally:
            self.stop()

    def _append(self, thing: T, weight: int) -> bool:
        """Put `thing` behind the others once there is room; False where nobody wants it."""
        with self._changed:
            if self._weight >= self._room:
                # Only once there is much room: a thread that is woken for each costs both dear.
                self._changed.wait_for(lambda: self._ended or self._weight <= self._room // 2)
            if self._ended:
                return False
            self._waiting.append((thing, weight))
            self._weight += weight
            if len(self._waiting) == 1:
                self._changed.notify_all()
            return True
