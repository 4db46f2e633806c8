"""Who may wait for a model, counted in tokens, and for how long.

The embedder itself batches across requests and lets them take turns; this comes before it.
"""

import asyncio
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import overload

from embedcli.engine.embedder import Embedder
from embedcli.records import Embedded, Options
from embedcli.server.wire import BUSY, Refusal

_CHARACTERS_PER_TOKEN = 4  # of prose, before anything has been tokenised
_WINDOW = 30.0  # seconds of work by which the speed is judged
_LONGEST_RETRY = 600  # seconds
_SHORT = 64 * 1024  # characters: some ten milliseconds of tokenising
_A_TEXT = 64  # characters that take as long as a text takes by itself, however short


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Admission:
    """What may wait for the loaded models: so many tokens, and nothing that nobody awaits."""

    def __init__(self, *, most_tokens: int) -> None:
        """Let at most `most_tokens` wait for each model, or a single request however large."""
        self._most = most_tokens
        self._entering = _Ledger()
        self._speed = Speed()
        self._calls = _LoopCalls()
        # One thread takes all short texts: a burst of requests then costs one wake-up, not many.
        self._short = ThreadPoolExecutor(1, thread_name_prefix="embed-tokenise")
        self._long = ThreadPoolExecutor(8, thread_name_prefix="embed-tokenise-long")

    def waiting(self, embedder: Embedder) -> int:
        """Return how many tokens wait for `embedder`."""
        return embedder.waiting_tokens + self._entering.tokens(embedder)

    async def run(
        self,
        embedder: Embedder,
        texts: Sequence[str],
        options: Options,
        *,
        gone: Callable[[], Awaitable[None]],
    ) -> list[Embedded]:
        """Return the vectors of `texts` in order.

        Raises:
            Refusal: 503, too much waits already; Retry-After says when it will not.
            ClientGone: `gone` came first; what had not been computed was dropped.
            EmbedError: as `Embedder.submit` does.
        """
        about = self._admit(embedder, texts, options)
        work = _Work(self._calls)

        def enter() -> None:
            try:
                work.follow(embedder.submit(_Awaited(texts, work), options))
            except Exception as error:  # of whatever kind: it belongs to who waits
                work.fail(error)
            finally:
                self._entering.add(embedder, -about)

        characters = sum(map(len, texts)) + _A_TEXT * len(texts)
        pool = self._short if characters <= _SHORT else self._long
        pool.submit(enter)
        results = await work.result(gone)
        self._speed.add(sum(result.tokens for result in results))
        return results

    def close(self) -> None:
        """Let the threads end."""
        self._short.shutdown(wait=False)
        self._long.shutdown(wait=False)

    def _admit(self, embedder: Embedder, texts: Sequence[str], options: Options) -> int:
        """Return about how many tokens `texts` have, once there is room for them.

        Raises:
            Refusal: 503.
        """
        limit = options.max_tokens or embedder.spec.max_tokens
        about = sum(min(limit, len(text) // _CHARACTERS_PER_TOKEN + 2) for text in texts)
        waiting = self.waiting(embedder)
        if waiting and waiting + about > self._most:
            seconds = self._speed.seconds(waiting + about - self._most)
            raise Refusal(503, BUSY, headers={"Retry-After": str(seconds)})
        self._entering.add(embedder, about)
        return about


class _Ledger:
    """How many tokens are about to be handed in, by embedder; used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: defaultdict[Embedder, int] = defaultdict(int)

    def add(self, embedder: Embedder, tokens: int) -> None:
        with self._lock:
            self._tokens[embedder] += tokens
            if not self._tokens[embedder]:
                del self._tokens[embedder]  # or an unloaded model would be held for ever

    def tokens(self, embedder: Embedder) -> int:
        with self._lock:
            return self._tokens.get(embedder, 0)


class _LoopCalls:
    """Carries calls from other threads to the event loop, many with one wake-up."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], None]] = deque()
        self._woken = False

    def post(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        """Let the loop make `call`; from any thread."""
        self._calls.append(call)
        if not self._woken:
            self._woken = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False  # before the calls: one posted from now on wakes the loop again
        while self._calls:
            self._calls.popleft()()


class _Work:
    """One request's results on their way back to the event loop."""

    def __init__(self, calls: _LoopCalls) -> None:
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[list[Embedded]] = self._loop.create_future()
        self._source: Future[list[Embedded]] | None = None
        self.dropped = False

    def follow(self, source: Future[list[Embedded]]) -> None:
        """Take the results from `source`; from any thread."""
        self._source = source
        if self.dropped:  # meanwhile
            source.cancel()
        source.add_done_callback(lambda _: self._calls.post(self._loop, self._settle))

    def fail(self, error: Exception) -> None:
        """Take an error in place of results; from any thread."""

        def settle() -> None:
            if not self._done.done():
                self._done.set_exception(error)

        self._calls.post(self._loop, settle)

    async def result(self, gone: Callable[[], Awaitable[None]]) -> list[Embedded]:
        """Return the results.

        Raises:
            ClientGone: `gone` came first.
        """

        async def watch() -> None:
            await gone()
            if not self._done.done():
                self._done.set_exception(ClientGone())

        watching = self._loop.create_task(watch())
        try:
            return await self._done
        finally:
            watching.cancel()
            self.dropped = True
            if self._source is not None:
                self._source.cancel()  # drops what no core has taken yet

    def _settle(self) -> None:
        if self._done.done() or self._source is None or self._source.cancelled():
            return
        error = self._source.exception()
        if error is None:
            self._done.set_result(self._source.result())
        else:
            self._done.set_exception(error)


class _Awaited(Sequence[str]):
    """Texts that end in an error once nobody awaits their vectors, which ends their tokenising."""

    def __init__(self, texts: Sequence[str], work: _Work) -> None:
        self._texts = texts
        self._work = work

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if self._work.dropped:
            raise ClientGone
        return self._texts[place]


class Speed:
    """How many tokens a second the models have lately done."""

    def __init__(self) -> None:
        self._done: deque[tuple[float, int]] = deque()
        self._tokens = 0

    def add(self, tokens: int) -> None:
        """Note that `tokens` are done."""
        now = time.monotonic()
        self._done.append((now, tokens))
        self._tokens += tokens
        while self._done[0][0] < now - _WINDOW:
            self._tokens -= self._done.popleft()[1]

    def seconds(self, tokens: int) -> int:
        """Return the whole seconds, from 1 up, that `tokens` will take at this speed."""
        if not self._done:
            return 1
        span = max(time.monotonic() - self._done[0][0], 1.0)
        return max(1, min(_LONGEST_RETRY, math.ceil(tokens * span / max(self._tokens, 1))))
