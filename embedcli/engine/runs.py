"""One call's texts on their way: tokenised, handed in, and their vectors gathered in order.

Texts that are the same to the model share a slot while they wait, and are computed once.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from embedcli.engine import asked
from embedcli.engine.batches import Job, Kind, Submission
from embedcli.engine.tokens import Tokenizer
from embedcli.errors import TextTooLong, VectorError
from embedcli.models.spec import ModelSpec
from embedcli.outcomes import Outcome
from embedcli.records import Embedded, Options, Tokens, Vector

# Texts under way in a stream: enough for most lengths to fill their batches, and little to hold.
_WINDOW_TEXTS = 4096
_WINDOW_CHARACTERS = 4_000_000


class Worker(Protocol):
    """What a run needs of an embedder."""

    spec: ModelSpec
    tokenizer: Tokenizer

    def work(self, submission: Submission, job: Job) -> None:
        """Let `job` wait for a core."""

    def drop(self, submission: Submission) -> None:
        """Forget what waits of `submission`."""


@dataclass(slots=True, eq=False)
class Slot:
    """Where a text's result will be."""

    key: bytes  # equal for texts that are the same to the model
    tokens: Tokens
    index: int
    tell: Callable[[Embedded | Exception], None]
    uses: int = 0
    result: Embedded | Exception | None = None

    def done(self, result: Vector | Exception) -> None:
        """Take what the model gave, and tell who waits."""
        if isinstance(result, Exception):
            self.result = result
        elif not np.isfinite(result).all():
            self.result = VectorError(index=self.index)
        else:
            self.result = Embedded(result, len(self.tokens.ids), self.tokens.truncated)
        self.tell(self.result)

    def embedded(self) -> Embedded:
        """Return the result, or raise the error in its place."""
        if isinstance(self.result, Exception):
            raise self.result
        assert self.result is not None, "asked for before it was told"
        return self.result

    def outcome(self) -> Outcome:
        """Return the result, or what is wrong with this text alone; raise any other error."""
        return self.result if isinstance(self.result, VectorError) else self.embedded()


class Run:
    """A call's options, settled against the model, and its texts in the queue."""

    def __init__(self, worker: Worker, options: Options, *, lone: bool) -> None:
        """Settle `options`.

        Raises:
            UsageError: they ask for what the model does not have.
        """
        spec = worker.spec
        self._worker = worker
        self._lone = lone
        self._submission = Submission()
        self._slots: dict[bytes, Slot] = {}
        self._sharing = threading.Lock()  # one thread brings texts, another takes results
        self._prefix = asked.prefix(spec, options)
        self._left_out = 0 if spec.include_prompt else worker.tokenizer.prompt(self._prefix)
        self._limit = asked.limit(spec, options)
        self._dimensions = asked.dimensions(spec, options)
        self._truncate = options.truncate
        self._normalize = options.normalize

    def slot(self, text: str, index: int, tell: Callable[[Embedded | Exception], None]) -> Slot:
        """Tokenise `text`, and let it wait unless its like does already; `tell` hears of it.

        Raises:
            InputError: it is not Unicode.
            TextTooLong: it is over the limit, and may not be cut.
        """
        tokens = self._worker.tokenizer.tokens(
            text,
            prefix=self._prefix,
            limit=self._limit,
            truncate=self._truncate,
            index=index,
            prompt=self._left_out,
        )
        key = tokens.ids.tobytes() + bytes([tokens.truncated])
        with self._sharing:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = Slot(key, tokens, index, tell)
                self._put(slot)
            slot.uses += 1
        return slot

    def release(self, slot: Slot) -> None:
        """Forget a slot once all that share it have been served."""
        with self._sharing:
            slot.uses -= 1
            if not slot.uses:
                del self._slots[slot.key]

    def cancel(self) -> None:
        """Drop what no core has taken yet."""
        self._worker.drop(self._submission)

    def _put(self, slot: Slot) -> None:
        tokens = slot.tokens
        kind = Kind(len(tokens.ids), tokens.prompt, self._dimensions, self._normalize)
        self._worker.work(self._submission, Job(tokens, kind, slot.done, self._lone))


def gather(run: Run, texts: Sequence[str]) -> Future[list[Embedded]]:
    """Hand in `texts`; the future gets all their vectors in order, or the first error that comes.

    Nothing is computed for it after that: what keeps one text from its vector may do so for all.
    """
    future: Future[list[Embedded]] = Future()
    gathering = _Gathering(future)
    future.add_done_callback(lambda _: run.cancel())
    slots = []
    try:
        for index, text in enumerate(texts):
            if future.done():
                return future
            slots.append(run.slot(text, index, gathering.tell))
    except Exception:
        run.cancel()
        raise
    gathering.expect(slots)
    return future


class _Gathering:
    """Counts the slots of a call that have been told, and settles its future: once."""

    def __init__(self, future: Future[list[Embedded]]) -> None:
        self._future = future
        self._lock = threading.Lock()
        self._told = 0
        self._slots: Sequence[Slot] | None = None
        self._missing = 0
        self._settled = False

    def tell(self, result: Embedded | Exception) -> None:
        """Hear of a slot: an error settles the future, as does the last result."""
        with self._lock:
            self._told += 1
            last = self._slots is not None and self._told == self._missing
        if isinstance(result, Exception):
            self._settle(result)
        elif last:
            self._settle()

    def expect(self, slots: Sequence[Slot]) -> None:
        """Say, once all are handed in, which slots there are."""
        with self._lock:
            self._slots = slots
            self._missing = len(set(slots))
            last = self._told == self._missing
        if last:
            self._settle()

    def _settle(self, error: Exception | None = None) -> None:
        with self._lock:
            first, self._settled = not self._settled, True
        if not first or not self._future.set_running_or_notify_cancel():
            return
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result([slot.embedded() for slot in self._slots or ()])


def in_order(run: Run, texts: Iterable[str]) -> Generator[Outcome]:
    """Hand in `texts` as there is room, and yield what becomes of each, in order."""
    window = _Window(run)
    feeder = threading.Thread(target=window.fill, args=(texts,), name="embed-feeder", daemon=True)
    feeder.start()
    try:
        while (slot := window.next()) is not None:
            yield slot if isinstance(slot, TextTooLong) else slot.outcome()
    finally:
        window.stop()
        run.cancel()


class _Window:
    """The texts of a stream that are under way: a bounded number, in order."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._changed = threading.Condition()
        self._slots: deque[tuple[Slot | TextTooLong, int]] = deque()
        self._characters = 0
        self._ended = False
        self._error: Exception | None = None

    def fill(self, texts: Iterable[str]) -> None:
        """Hand in `texts` while there is room for them; in the feeder's thread."""
        try:
            for index, text in enumerate(texts):
                if not self._await_room():
                    return
                self._append(self._slot(text, index), len(text))
        except Exception as error:  # of the source, or of all texts: told in its place
            self._error = error
        finally:
            self.stop()

    def next(self) -> Slot | TextTooLong | None:
        """Wait for the oldest slot to be told, and take it out; None at the end.

        Raises whatever stopped the source, once all before it has been taken.
        """
        with self._changed:
            self._changed.wait_for(self._is_told)
            if not self._slots:
                if self._error is not None:
                    raise self._error
                return None
            slot, characters = self._slots.popleft()
            self._characters -= characters
            self._changed.notify_all()
        if isinstance(slot, Slot):
            self._run.release(slot)
        return slot

    def stop(self) -> None:
        """Let the feeder end; nobody waits for results any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _is_told(self) -> bool:
        if not self._slots:
            return self._ended
        slot, _ = self._slots[0]
        return isinstance(slot, TextTooLong) or slot.result is not None

    def _slot(self, text: str, index: int) -> Slot | TextTooLong:
        try:
            return self._run.slot(text, index, self._notify)
        except TextTooLong as error:
            return error

    def _await_room(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._has_room())
            return not self._ended

    def _has_room(self) -> bool:
        return len(self._slots) < _WINDOW_TEXTS and self._characters < _WINDOW_CHARACTERS

    def _append(self, slot: Slot | TextTooLong, characters: int) -> None:
        with self._changed:
            self._slots.append((slot, characters))
            self._characters += characters
            self._changed.notify_all()

    def _notify(self, _: Embedded | Exception) -> None:
        with self._changed:
            self._changed.notify_all()
