"""`embed serve` under load: many clients with one text each, a lone one, too many, and its memory.

The server is a process of its own; the clients share the machine with it.
Run as `python -m benchmarks.serve`.
"""

import asyncio
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path

import orjson

from benchmarks.corpus import paragraphs
from benchmarks.pairs import table
from embedcli import load
from embedcli.formats import ollama

_CLIENTS = 32
_SHORT = "why is the sky blue?"


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    pid: int

    def memory(self) -> float:
        """Return the MB of its own that it holds, in memory or swapped out."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return sum(map(int, re.findall(r"(?:RssAnon|VmSwap):\s+(\d+)", status))) / 1024


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """Lend a server on a free port."""
    program = [sys.executable, "-m", "embedcli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(program, stderr=subprocess.PIPE)
    assert process.stderr is not None, "it is a pipe"
    said = process.stderr.readline().decode()
    # The log is not read, so it must not fill the pipe.
    log = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
    process.stderr.close()
    try:
        yield Server(int(said.rpartition(":")[2]), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.wait()


class Client:
    """A kept connection, and as little of HTTP as will do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connected(cls, server: Server) -> "Client":
        """Return a client of `server`."""
        return cls(*await asyncio.open_connection("127.0.0.1", server.port))

    async def embed(
        self,
        texts: str | Sequence[str],
        *,
        model: str = "all-minilm",
        keep_alive: int | None = None,
    ) -> int:
        """Return the status of the answer."""
        request = {"model": model, "input": texts, "keep_alive": keep_alive}
        return await self.post("/api/embed", orjson.dumps(request))

    async def post(self, path: str, body: bytes) -> int:
        """Return the status of the answer to any body."""
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"content-length: (\d+)", answer)
        assert length is not None, "every answer tells its length"
        await self._reader.readexactly(int(length[1]))
        return int(answer.split(maxsplit=2)[1])

    @property
    def closed(self) -> bool:
        """Whether no more can be asked."""
        return self._writer.is_closing() or self._reader.at_eof()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


@dataclass(frozen=True)
class Load:
    """What many clients saw, each asking again as soon as it is answered."""

    seconds: list[float]  # of each request
    statuses: list[int]
    took: float  # seconds, all in all


async def under_load(server: Server, texts: Sequence[str], clients: int) -> Load:
    """Send each of `texts` in a request of its own, from `clients` connections at once."""
    waiting, seconds, statuses = iter(texts), list[float](), list[int]()

    async def work() -> None:
        client = await Client.connected(server)
        for text in waiting:
            started = time.perf_counter()
            statuses.append(await client.embed(text))
            seconds.append(time.perf_counter() - started)
        client.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return Load(sorted(seconds), statuses, time.perf_counter() - started)


async def latency(client: Client, texts: str | list[str], rounds: int) -> float:
    """Return the median seconds of a request that is alone."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        await client.embed(texts)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


async def crowd(server: Server, texts: Sequence[str], rounds: int) -> list[list[str]]:
    """Compare 32 clients of one text each with one client of all texts."""
    client = await Client.connected(server)
    await client.embed(_SHORT)
    ratios, tails, slowest = [], [], []
    for _ in range(rounds):
        started = time.perf_counter()
        await client.embed(texts)
        whole = time.perf_counter() - started
        many = await under_load(server, texts, _CLIENTS)
        ratios.append(whole / many.took)
        tails.append(many.seconds[int(len(texts) * 0.99)] / (many.took / len(texts) * _CLIENTS))
        slowest.append(many.seconds[int(len(texts) * 0.99)] * 1000)
    client.close()
    return [
        [
            f"texts/s of {_CLIENTS} clients, one batch of all = 1",
            f"{statistics.median(ratios):.2f}",
        ],
        ["their p99, the mean = 1", f"{statistics.median(tails):.2f}"],
        ["their p99, ms on this machine", f"{statistics.median(slowest):.0f}"],
    ]


async def alone(server: Server, rounds: int) -> list[list[str]]:
    """Compare a lone short text with the engine's own time for it and an empty request's."""
    client = await Client.connected(server)
    await client.embed(_SHORT)
    engine = load()
    engine.embed([_SHORT])
    ratios = []
    for _ in range(rounds):
        bare = []
        for _ in range(20):
            started = time.perf_counter()
            engine.embed([_SHORT])
            bare.append(time.perf_counter() - started)
        empty = await latency(client, [], 20)
        ratios.append(await latency(client, _SHORT, 20) / (statistics.median(bare) + empty))
    client.close()
    return [["p50 of a lone text, engine + empty request = 1", f"{statistics.median(ratios):.2f}"]]


async def growth(server: Server, requests: int) -> list[list[str]]:
    """Watch the server's memory over many requests, after some that are not counted."""
    texts = [f"{number} {_SHORT}" for number in range(requests)]
    await under_load(server, texts[: requests // 5], _CLIENTS)
    before = server.memory()
    await under_load(server, texts, _CLIENTS)
    return [[f"MB more after {requests} requests", f"{server.memory() - before:.0f}"]]


async def overload(server: Server, requests: int) -> list[list[str]]:
    """Ask for ten times what the queue has room for, and then for one text more."""
    texts = [f"{number} " + "word " * 40 for number in range(requests)]
    client = await Client.connected(server)
    await client.embed(_SHORT)
    calm = await latency(client, _SHORT, 10)
    many = await under_load(server, texts, 320)
    after = await latency(client, _SHORT, 1)
    client.close()
    busy = many.statuses.count(503) / len(many.statuses)
    others = set(many.statuses) - {200, 503}
    return [
        ["share of 503 at ten times the queue's room", f"{busy:.2f}"],
        ["statuses beside 200 and 503", ", ".join(map(str, others)) or "none"],
        ["p50 of a lone text right after, before = 1", f"{after / calm:.1f}"],
    ]


async def given_back(server: Server) -> list[list[str]]:
    """Measure what an unloaded model gives back."""
    client = await Client.connected(server)
    before = server.memory()
    await client.embed(_SHORT)
    loaded = server.memory()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = b'{"model":"all-minilm","keep_alive":0}'
    writer.write(
        b"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 37\r\n\r\n" + body
    )
    await reader.readuntil(b"}")
    await asyncio.sleep(0.5)
    writer.close()
    client.close()
    kept = server.memory() - before
    return [["MB of a loaded model / kept after unloading", f"{loaded - before:.0f} / {kept:.0f}"]]


def share_of_json(texts: Sequence[str]) -> list[list[str]]:
    """Measure how much of an answer's time is spent on writing it."""
    embedder = load()
    embedder.embed([_SHORT])
    started = time.perf_counter()
    embedded = embedder.submit(texts).result()
    computed = time.perf_counter()
    ollama.document("all-minilm", embedded, total_duration=1, load_duration=1)
    written = time.perf_counter()
    return [["share of JSON in an answer", f"{(written - computed) / (written - started):.3f}"]]


def run(texts: int = 2000, rounds: int = 5, requests: int = 10_000) -> str:
    """Return the table."""
    corpus = [" ".join(text.split()[:20]) for text in paragraphs(1500)]
    short = [f"{text} {number}" for number, text in zip(count(), islice(cycle(corpus), texts))]
    rows = []
    with serving() as server:
        rows += asyncio.run(given_back(server))
        rows += asyncio.run(crowd(server, short, rounds))
        rows += asyncio.run(alone(server, rounds))
        rows += asyncio.run(growth(server, requests))
    with serving("--max-queue", "1600") as server:  # 32 of the texts sent
        rows += asyncio.run(overload(server, requests // 5))
    return table(["server", "measured"], [*rows, *share_of_json(short)])


if __name__ == "__main__":
    print(run())
