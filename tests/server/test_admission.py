"""Who waits for a model, and behind whom, on the model `colours`."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import overload

from embedcli.engine.embedder import Embedder
from embedcli.records import Options
from embedcli.server.admission import Admission


class Held(Sequence[str]):
    """Texts that nobody can read one by one until they are let go."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self.let_go = threading.Event()

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        self.let_go.wait()
        return self._texts[place]


async def never() -> None:
    """Return when a client goes away that never does."""
    await asyncio.Event().wait()


def test_a_lone_text_does_not_wait_for_many_short_ones_to_be_read(palette: Embedder) -> None:
    async def trial() -> None:
        admission = Admission(most_tokens=10**9)
        crowd = Held(["x"] * 5000)
        waiting = asyncio.ensure_future(admission.run(palette, crowd, Options(), gone=never))
        await asyncio.sleep(0)  # lets it enter first
        try:
            async with asyncio.timeout(20):
                (alone,) = await admission.run(palette, ["red"], Options(), gone=never)
            assert alone.tokens == 3
            assert not waiting.done()
        finally:
            crowd.let_go.set()
            assert len(await waiting) == 5000
            admission.close()

    asyncio.run(trial())
