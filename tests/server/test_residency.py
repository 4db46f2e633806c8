"""Which models are loaded, and when they leave, on the model `colours` under several names."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from embedcli.engine.embedder import Embedder
from embedcli.errors import ModelError
from embedcli.server.names import Name
from embedcli.server.residency import Residency
from embedcli.server.store import ServedModel
from tests.server.conftest import COLOURS

RED, GREEN, BLUE = (
    replace(COLOURS, name=Name(name), digest=name) for name in ("red", "green", "blue")
)

Trial = Callable[[Residency], Coroutine[Any, Any, None]]


def run(palette: Embedder, trial: Trial, *, most: int = 2, keep_alive: float = 60.0) -> list[str]:
    """Run `trial` on a residency; which models were loaded for it, in order."""
    loaded: list[str] = []

    def load(model: ServedModel) -> Embedder:
        loaded.append(model.name.model)
        if model is BLUE:
            raise ModelError("blue is damaged")
        return palette

    async def main() -> None:
        residency = Residency(load, keep_alive=keep_alive, most=most)
        await trial(residency)
        await residency.close()
        assert residency.stays() == []

    asyncio.run(main())
    return loaded


async def use(residency: Residency, model: ServedModel, keep_alive: float | None = None) -> None:
    async with residency.using(model, keep_alive):
        pass


def here(residency: Residency) -> set[str]:
    return {stay.model.name.model for stay in residency.stays()}


def test_a_model_is_loaded_once_for_all_who_ask_at_once(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        await asyncio.gather(*(use(residency, RED) for _ in range(20)))
        await use(residency, RED)

    assert run(palette, trial) == ["red"]


def test_the_longest_idle_one_makes_room(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        for model in (RED, GREEN, RED, replace(RED, name=Name("teal"), digest="teal")):
            await use(residency, model)
        assert here(residency) == {"red", "teal"}

    assert run(palette, trial) == ["red", "green", "teal"]


def test_a_model_in_use_is_never_evicted(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        async with residency.using(RED):
            waiting = asyncio.ensure_future(use(residency, GREEN))
            await asyncio.sleep(0)
            assert here(residency) == {"red"}
            assert not waiting.done()
        await waiting
        assert here(residency) == {"green"}

    run(palette, trial, most=1)


@pytest.mark.parametrize("keep_alive", [0, 0.001])
def test_a_model_leaves_when_its_time_is_over(palette: Embedder, keep_alive: float) -> None:
    async def trial(residency: Residency) -> None:
        await use(residency, RED, keep_alive)
        while here(residency):
            await asyncio.sleep(0)
        await use(residency, RED)

    assert run(palette, trial) == ["red", "red"]


def test_what_was_said_last_stays_until_something_else_is_said(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        await use(residency, RED, math.inf)
        await use(residency, RED)
        (stay,) = residency.stays()
        assert stay.expires.year > 2300
        await use(residency, RED, 100)
        (stay,) = residency.stays()
        assert 90 < (stay.expires - datetime.now(UTC)).total_seconds() <= 100

    run(palette, trial)


def test_a_model_told_to_leave_while_in_use_leaves_after(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        async with residency.using(RED):
            residency.release(RED)
            assert here(residency) == {"red"}
        assert here(residency) == set()
        residency.release(RED)

    run(palette, trial)


def test_a_model_that_cannot_be_loaded_is_forgotten(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        for _ in range(2):
            with pytest.raises(ModelError, match="blue is damaged"):
                await use(residency, BLUE)
            await asyncio.sleep(0)
            assert here(residency) == set()

    assert run(palette, trial) == ["blue", "blue"]


def test_one_who_waits_no_more_does_not_stop_the_loading(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        hasty = asyncio.ensure_future(use(residency, RED))
        await asyncio.sleep(0)
        hasty.cancel()
        await use(residency, RED)

    assert run(palette, trial) == ["red"]


def test_those_that_stay_longest_are_listed_first(palette: Embedder) -> None:
    async def trial(residency: Residency) -> None:
        await use(residency, RED, 10)
        await use(residency, GREEN, math.inf)
        assert [stay.model.name.model for stay in residency.stays()] == ["green", "red"]

    run(palette, trial)
