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
class Resident:
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
class Stay:
    """A loaded model, and when it will leave."""

    model: ServedModel
    expires: datetime


class Residency:
    """The loaded models: at most so many, each until it has been idle for its time."""

    def __init__(
        self, load: Callable[[ServedModel], Embedder], *, keep_alive: float, most: int
    ) -> None:
        self._load = load
        self._keep_alive = keep_alive
        self._most = most
        self._residents: dict[str, Resident] = {}  # by digest: a model may have several names
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
        resident = await self._resident(model)
        if keep_alive is not None:
            resident.keep_alive = keep_alive
        resident.users += 1
        _stop(resident)
        try:
            yield await asyncio.shield(resident.loading)
        finally:
            resident.users -= 1
            if not resident.users:
                self._rest(resident)

    def release(self, model: ServedModel) -> None:
        """Let a model leave, if it is loaded, as soon as nobody uses it."""
        resident = self._residents.get(model.digest)
        if resident is not None:
            resident.keep_alive = 0.0
            if not resident.users:
                self._rest(resident)

    def stays(self) -> list[Stay]:
        """Return what is loaded or being loaded, the longest to stay first."""
        stays = [Stay(resident.model, self._expiry(resident)) for resident in self._all()]
        return sorted(stays, key=lambda stay: stay.expires, reverse=True)

    def embedders(self) -> dict[Name, Embedder]:
        """Return the models that are ready."""
        return {r.model.name: r.embedder for r in self._all() if r.embedder is not None}

    async def close(self) -> None:
        """Unload everything."""
        for resident in self._all():
            _stop(resident)
            self._unload(resident)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _all(self) -> list[Resident]:
        return list(self._residents.values())

    async def _resident(self, model: ServedModel) -> Resident:
        """Return the resident of `model`, making room for it if it is new."""
        while (resident := self._residents.get(model.digest)) is None:
            if len(self._residents) < self._most:
                loading = asyncio.ensure_future(asyncio.to_thread(self._open, model))
                resident = Resident(model, loading, self._keep_alive)
                self._residents[model.digest] = resident
                loading.add_done_callback(partial(self._loaded, resident))
                return resident
            idle = [other for other in self._all() if not other.users and other.loading.done()]
            if idle:
                self._unload(min(idle, key=lambda other: other.idle_since))
            else:
                await self._changed.wait()
        return resident

    def _open(self, model: ServedModel) -> Embedder:
        embedder = self._load(model)
        embedder.load()
        return embedder

    def _loaded(self, resident: Resident, _: asyncio.Task[Embedder]) -> None:
        """Forget a model that failed to load; each who waits for it hears why from the task."""
        if resident.embedder is None:
            self._forget(resident)
        elif not resident.users:  # whoever asked for it went away
            self._rest(resident)

    def _rest(self, resident: Resident) -> None:
        """Start the time that an unused model still stays."""
        _stop(resident)
        if (
            self._residents.get(resident.model.digest) is not resident
            or not resident.loading.done()
        ):
            return
        loop = asyncio.get_running_loop()
        resident.idle_since = loop.time()
        if resident.keep_alive <= 0:
            self._unload(resident)
        elif resident.keep_alive < math.inf:
            resident.timer = loop.call_later(resident.keep_alive, self._unload, resident)
        self._tell()

    def _unload(self, resident: Resident) -> None:
        _stop(resident)
        self._forget(resident)
        leaving = asyncio.ensure_future(self._leave(resident))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, resident: Resident) -> None:
        await asyncio.wait({resident.loading})
        if resident.embedder is not None:
            await asyncio.to_thread(_give_back, resident.embedder)

    def _forget(self, resident: Resident) -> None:
        if self._residents.get(resident.model.digest) is resident:
            del self._residents[resident.model.digest]
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for room."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _expiry(self, resident: Resident) -> datetime:
        stay = resident.keep_alive
        if resident.timer is not None:
            stay = resident.timer.when() - asyncio.get_running_loop().time()
        longest = _FOR_EVER.total_seconds()
        return datetime.now(UTC) + timedelta(seconds=min(max(stay, 0.0), longest))


def _stop(resident: Resident) -> None:
    if resident.timer is not None:
        resident.timer.cancel()
        resident.timer = None


def _give_back(embedder: Embedder) -> None:
    """Unload, and hand the freed memory to the system, which glibc would keep for later."""
    embedder.close()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
