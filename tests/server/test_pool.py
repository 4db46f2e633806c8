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
from embedcli.server.pool import ModelPool
from embedcli.server.store import ServedModel
from tests.server.conftest import COLOURS

RED, GREEN, BLUE = (
    replace(COLOURS, name=Name(name), digest=name) for name in ("red", "green", "blue")
)

Trial = Callable[[ModelPool], Coroutine[Any, Any, None]]


def run(palette: Embedder, trial: Trial, *, most: int = 2, keep_alive: float = 60.0) -> list[str]:
    """Run `trial` on a pool; which models were loaded for it, in order."""
    loaded: list[str] = []

    def load(model: ServedModel) -> Embedder:
        loaded.append(model.name.model)
        if model is BLUE:
            raise ModelError("blue is damaged")
        return palette

    async def main() -> None:
        pool = ModelPool(load, keep_alive=keep_alive, most=most)
        await trial(pool)
        await pool.close()
        assert pool.loaded() == []

    asyncio.run(main())
    return loaded


async def use(pool: ModelPool, model: ServedModel, keep_alive: float | None = None) -> None:
    async with pool.using(model, keep_alive):
        pass


def here(pool: ModelPool) -> set[str]:
    return {entry.model.name.model for entry in pool.loaded()}


def test_a_model_is_loaded_once_for_all_who_ask_at_once(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        await asyncio.gather(*(use(pool, RED) for _ in range(20)))
        await use(pool, RED)

    assert run(palette, trial) == ["red"]


def test_the_longest_idle_one_makes_room(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        for model in (RED, GREEN, RED, replace(RED, name=Name("teal"), digest="teal")):
            await use(pool, model)
        assert here(pool) == {"red", "teal"}

    assert run(palette, trial) == ["red", "green", "teal"]


def test_a_model_in_use_is_never_evicted(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        async with pool.using(RED):
            waiting = asyncio.ensure_future(use(pool, GREEN))
            await asyncio.sleep(0)
            assert here(pool) == {"red"}
            assert not waiting.done()
        await waiting
        assert here(pool) == {"green"}

    run(palette, trial, most=1)


@pytest.mark.parametrize("keep_alive", [0, 0.001])
def test_a_model_leaves_when_its_time_is_over(palette: Embedder, keep_alive: float) -> None:
    async def trial(pool: ModelPool) -> None:
        await use(pool, RED, keep_alive)
        while here(pool):
            await asyncio.sleep(0)
        await use(pool, RED)

    assert run(palette, trial) == ["red", "red"]


def test_what_was_said_last_stays_until_something_else_is_said(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        await use(pool, RED, math.inf)
        await use(pool, RED)
        (entry,) = pool.loaded()
        assert entry.expires.year > 2300
        await use(pool, RED, 100)
        (entry,) = pool.loaded()
        assert 90 < (entry.expires - datetime.now(UTC)).total_seconds() <= 100

    run(palette, trial)


def test_a_model_told_to_leave_while_in_use_leaves_after(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        async with pool.using(RED):
            pool.release(RED)
            assert here(pool) == {"red"}
        assert here(pool) == set()
        pool.release(RED)

    run(palette, trial)


def test_a_model_that_cannot_be_loaded_is_forgotten(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        for _ in range(2):
            with pytest.raises(ModelError, match="blue is damaged"):
                await use(pool, BLUE)
            await asyncio.sleep(0)
            assert here(pool) == set()

    assert run(palette, trial) == ["blue", "blue"]


def test_one_who_waits_no_more_does_not_stop_the_loading(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        hasty = asyncio.ensure_future(use(pool, RED))
        await asyncio.sleep(0)
        hasty.cancel()
        await use(pool, RED)

    assert run(palette, trial) == ["red"]


def test_those_that_stay_longest_are_listed_first(palette: Embedder) -> None:
    async def trial(pool: ModelPool) -> None:
        await use(pool, RED, 10)
        await use(pool, GREEN, math.inf)
        assert [entry.model.name.model for entry in pool.loaded()] == ["green", "red"]

    run(palette, trial)
