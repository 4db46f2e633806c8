"""Which models are loaded, for whom, and for how much longer.

All state belongs to the event loop's thread; only loading and unloading happen in others.
"""

import asyncio
import ctypes
import math
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from embedcli.engine.embedder import Embedder
from embedcli.server.names import Name
from embedcli.server.store import ServedModel

_FOR_EVER = timedelta(days=292 * 365)  # about Go's longest duration, which Ollama shows


@dataclass(slots=True, eq=False)
class Entry:
    """A model that is loaded, or being loaded."""

    model: ServedModel
    loading: asyncio.Task[Embedder]
    keep_alive: float  # seconds after the last use; infinity for ever
    users: int = 0
    idle_since: float = 0.0  # on the loop's clock
    timer: asyncio.TimerHandle | None = None

    @property
    def embedder(self) -> Embedder | None:
        """The loaded model, or None while it is being loaded, or if that failed."""
        failed = self.loading.done() and (self.loading.cancelled() or self.loading.exception())
        return self.loading.result() if self.loading.done() and not failed else None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded model, and when it will leave."""

    model: ServedModel
    expires: datetime


class ModelPool:
    """The loaded models: at most so many, each until it has been idle for its time."""

    def __init__(
        self, load: Callable[[ServedModel], Embedder], *, keep_alive: float, most: int
    ) -> None:
        self._load = load
        self._keep_alive = keep_alive
        self._most = most
        self._entries: dict[str, Entry] = {}  # by digest: a model may have several names
        self._leaving: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def using(
        self, model: ServedModel, keep_alive: float | None = None
    ) -> AsyncIterator[Embedder]:
        """Lend `model`, loaded first if need be; it stays at least until it is given back.

        `keep_alive`, in seconds, says how long it stays afterwards: None leaves what was said
        last. Other models are lent and loaded meanwhile.
        """
        entry = await self._entry(model)
        if keep_alive is not None:
            entry.keep_alive = keep_alive
        entry.users += 1
        _stop(entry)
        try:
            yield await asyncio.shield(entry.loading)
        finally:
            entry.users -= 1
            if not entry.users:
                self._rest(entry)

    def release(self, model: ServedModel) -> None:
        """Let a model leave, if it is loaded, as soon as nobody uses it."""
        entry = self._entries.get(model.digest)
        if entry is not None:
            entry.keep_alive = 0.0
            if not entry.users:
                self._rest(entry)

    def loaded(self) -> list[Loaded]:
        """Return what is loaded or being loaded, the longest to stay first."""
        loaded = [Loaded(entry.model, self._expiry(entry)) for entry in self._all()]
        return sorted(loaded, key=lambda one: one.expires, reverse=True)

    def embedders(self) -> dict[Name, Embedder]:
        """Return the models that are ready."""
        return {r.model.name: r.embedder for r in self._all() if r.embedder is not None}

    async def close(self) -> None:
        """Unload everything."""
        for entry in self._all():
            _stop(entry)
            self._unload(entry)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _all(self) -> list[Entry]:
        return list(self._entries.values())

    async def _entry(self, model: ServedModel) -> Entry:
        """Return the entry of `model`, making room for it if it is new."""
        while (entry := self._entries.get(model.digest)) is None:
            if len(self._entries) < self._most:
                loading = asyncio.ensure_future(asyncio.to_thread(self._open, model))
                entry = Entry(model, loading, self._keep_alive)
                self._entries[model.digest] = entry
                loading.add_done_callback(partial(self._loaded, entry))
                return entry
            idle = [other for other in self._all() if not other.users and other.loading.done()]
            if idle:
                self._unload(min(idle, key=lambda other: other.idle_since))
            else:
                await self._changed.wait()
        return entry

    def _open(self, model: ServedModel) -> Embedder:
        embedder = self._load(model)
        embedder.load()
        return embedder

    def _loaded(self, entry: Entry, _: asyncio.Task[Embedder]) -> None:
        """Forget a model that failed to load; each who waits for it hears why from the task."""
        if entry.embedder is None:
            self._forget(entry)
        elif not entry.users:  # whoever asked for it went away
            self._rest(entry)

    def _rest(self, entry: Entry) -> None:
        """Start the time that an unused model still stays."""
        _stop(entry)
        if self._entries.get(entry.model.digest) is not entry or not entry.loading.done():
            return
        loop = asyncio.get_running_loop()
        entry.idle_since = loop.time()
        if entry.keep_alive <= 0:
            self._unload(entry)
        elif entry.keep_alive < math.inf:
            entry.timer = loop.call_later(entry.keep_alive, self._unload, entry)
        self._tell()

    def _unload(self, entry: Entry) -> None:
        _stop(entry)
        self._forget(entry)
        leaving = asyncio.ensure_future(self._leave(entry))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, entry: Entry) -> None:
        await asyncio.wait({entry.loading})
        if entry.embedder is not None:
            await asyncio.to_thread(_give_back, entry.embedder)

    def _forget(self, entry: Entry) -> None:
        if self._entries.get(entry.model.digest) is entry:
            del self._entries[entry.model.digest]
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for room."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _expiry(self, entry: Entry) -> datetime:
        stay = entry.keep_alive
        if entry.timer is not None:
            stay = entry.timer.when() - asyncio.get_running_loop().time()
        longest = _FOR_EVER.total_seconds()
        return datetime.now(UTC) + timedelta(seconds=min(max(stay, 0.0), longest))


def _stop(entry: Entry) -> None:
    if entry.timer is not None:
        entry.timer.cancel()
        entry.timer = None


def _give_back(embedder: Embedder) -> None:
    """Unload, and hand the freed memory to the system, which glibc would keep for later."""
    embedder.close()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
