"""A server under mixed load for long: does its memory stay, and does its speed?

Clients of every kind at once: short texts one by one, batches, long documents, two models, bodies
that are no JSON, names that are no models, clients that hang up, and now and then one that unloads
a model. By hand, since it takes its time: `python -m benchmarks.soak [MINUTES]`.
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson

from benchmarks.corpus import paragraphs
from benchmarks.pairs import table
from benchmarks.serve import Client, Server, serving

_MODELS = ("all-minilm", "all-minilm:int8")


@dataclass
class Minute:
    """What was seen in a stretch of time."""

    texts: int = 0
    seconds: list[float] = field(default_factory=list)  # of requests of one short text
    statuses: dict[int, int] = field(default_factory=dict)

    def count(self, status: int, texts: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.texts += texts if status == 200 else 0


class _Load:
    """Clients that go on until told otherwise."""

    def __init__(self, server: Server) -> None:
        self.now = Minute()
        self.over = False
        self._server = server
        self._random = random.Random(1)
        self._corpus = paragraphs(2000)

    async def run(self, minutes: int, seconds: float) -> list[tuple[Minute, float]]:
        """Return what each minute of `seconds` saw, and the server's memory in MB at its end."""
        kinds = [self._lone] * 4 + [self._batch] * 2 + [self._document, self._nonsense, self._left]
        work = [asyncio.create_task(self._repeat(kind)) for kind in [*kinds, self._unload]]
        found = []
        for _ in range(minutes):
            self.now = Minute()
            await asyncio.sleep(seconds)
            found.append((self.now, self._server.memory()))
        self.over = True
        await asyncio.gather(*work)
        return found

    async def _repeat(self, kind: Callable[[Client], Awaitable[None]]) -> None:
        while not self.over:
            client = await Client.connected(self._server)
            for _ in range(50):
                if self.over or client.closed:
                    break
                await kind(client)
            client.close()

    async def _lone(self, client: Client) -> None:
        started = time.perf_counter()
        text = self._random.choice(self._corpus)[:80]
        self.now.count(await client.embed(text, model=self._random.choice(_MODELS)), 1)
        self.now.seconds.append(time.perf_counter() - started)

    async def _batch(self, client: Client) -> None:
        texts = self._random.sample(self._corpus, 32)
        self.now.count(await client.embed(texts, model=self._random.choice(_MODELS)), len(texts))

    async def _document(self, client: Client) -> None:
        text = " ".join(self._random.sample(self._corpus, 300))
        self.now.count(await client.embed(text), 1)

    async def _nonsense(self, client: Client) -> None:
        body = orjson.dumps({"model": "all-minilm", "input": self._random.choice(self._corpus)})
        cut = body[: self._random.randrange(len(body))]
        wrong = self._random.choice([cut, body.replace(b"minilm", b"maxilm"), b"[" * 99, b"\xff"])
        self.now.count(await client.post("/api/embed", wrong), 0)
        await asyncio.sleep(0.05)

    async def _left(self, client: Client) -> None:
        texts = self._random.sample(self._corpus, 8)
        asking = asyncio.create_task(client.embed(texts))
        await asyncio.sleep(self._random.random() / 10)
        asking.cancel()
        client.close()

    async def _unload(self, client: Client) -> None:
        for _ in range(20):
            await asyncio.sleep(0 if self.over else 1)
        model = self._random.choice(_MODELS)
        self.now.count(await client.embed([], model=model, keep_alive=0), 0)


def run(minutes: int = 20, *, seconds: float = 60) -> str:
    """Return the table: a row for each minute."""
    with serving() as server:
        found = asyncio.run(_Load(server).run(minutes, seconds))
    rows = []
    for minute, (seen, memory) in enumerate(found, start=1):
        waits = sorted(seen.seconds)
        statuses = ", ".join(f"{status}: {many}" for status, many in sorted(seen.statuses.items()))
        p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99)]
        times = [f"{p50 * 1000:.0f}", f"{p99 * 1000:.0f}"]
        rows.append([str(minute), f"{memory:.0f}", str(seen.texts), *times, statuses])
    return table(["minute", "MB", "texts", "lone p50, ms", "p99, ms", "answers"], rows)


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))
