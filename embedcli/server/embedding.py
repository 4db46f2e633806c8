"""The three endpoints that embed: `/api/embed`, the older `/api/embeddings`, and OpenAI's.

Each makes its checks in the order in which Ollama makes them, since that decides which error wins.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter_ns
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from embedcli.engine.embedder import Embedder
from embedcli.errors import EmbedError, ModelError, ModelNotFound, TextTooLong, VectorError
from embedcli.formats import ollama
from embedcli.records import Embedded, Options
from embedcli.server import gojson, guard, openai, wire
from embedcli.server.admission import Admission
from embedcli.server.metrics import Metrics, note
from embedcli.server.names import Name
from embedcli.server.pool import ModelPool
from embedcli.server.store import ModelIndex, ServedModel
from embedcli.server.wire import Extension, Fields, Refusal, Struct

T = TypeVar("T")

_OPENAI_JSON = "application/json"

_LARGE_BODY = 32 * 1024  # bytes; a larger one is parsed off the event loop
_LARGE_REPLY = 8  # vectors; more are written off the event loop
_SMALLEST_CONTEXT = 4  # tokens: what Ollama's runner makes of a `num_ctx` of 0 or less
_MISSPELT = "`input` was sent, but this endpoint reads `prompt`: /api/embed reads `input`"


@dataclass(frozen=True, slots=True)
class Work:
    """A request that has passed all checks which need no loaded model."""

    asked: str  # how the request calls its model
    model: ServedModel
    texts: list[str]
    truncate: bool = True
    dimensions: int = 0
    num_ctx: int | None = None
    keep_alive: float | None = None
    ours: Extension = field(default_factory=Extension)


@dataclass(frozen=True, slots=True)
class Service:
    """What the endpoints work with."""

    index: ModelIndex
    pool: ModelPool
    admission: Admission
    metrics: Metrics
    limits: guard.Limits
    timeout: float | None  # seconds from a request's last byte to its answer

    async def fields(self, http: Request, struct: Struct) -> Fields:
        """Read the request's body as `struct`."""
        body = await guard.body(http, self.limits)
        if struct is wire.OPENAI and http.headers.get("content-encoding") == "zstd":
            body = await asyncio.to_thread(guard.unpacked, body, self.limits)

        def decoded() -> Fields:
            guard.check_values(body, self.limits)
            return wire.decode(struct, body)

        return await _off_loop(decoded, large=len(body) > _LARGE_BODY)

    async def find(self, asked: str, name: Name, *, any_case: bool = True) -> ServedModel:
        """Return the model that a request calls `asked`, which spells `name`.

        Raises:
            Refusal: 404, there is none.
        """
        model = self.index.known(name) or await self.look(name, any_case=any_case)
        if model is None:
            raise _unknown(asked)
        return model

    async def look(self, name: Name, *, any_case: bool = True) -> ServedModel | None:
        """Look what lies on the disk now under `name`."""
        return await asyncio.to_thread(self.index.find, name, any_case=any_case)

    async def run(self, http: Request, work: Work) -> tuple[list[Embedded], int]:
        """Return the vectors of `work` in order, and when its model was ready (nanoseconds).

        Raises:
            Refusal: in the contract's words.
            ClientGone: nobody waits any more.
        """
        note(http.scope, {"model": str(work.model.name), "texts": len(work.texts)})
        try:
            async with asyncio.timeout(self.timeout), AsyncExitStack() as stack:
                embedder = await self._lend(stack, work)
                ready = perf_counter_ns()
                results = await self._results(http, work, embedder) if work.texts else []
        except TimeoutError:
            raise Refusal(
                503, wire.BUSY, headers={"Retry-After": "1"}, reason="the deadline has passed"
            ) from None
        tokens = sum(result.tokens for result in results)
        cut = sum(result.truncated for result in results)
        note(http.scope, {"tokens": tokens, "truncated": cut})
        name = str(work.model.name)
        self.metrics.embedded(name, texts=len(results), tokens=tokens, truncated=cut)
        return results, ready

    async def _lend(self, stack: AsyncExitStack, work: Work) -> Embedder:
        """Return the loaded model of `work`, which `stack` gives back.

        Raises:
            Refusal: 404, it is gone since it was last looked for; 500, it cannot be loaded.
        """
        using = self.pool.using(work.model, work.keep_alive)
        try:
            return await stack.enter_async_context(using)
        except ModelNotFound as error:
            await asyncio.to_thread(self.index.models)  # and forget it
            raise _unknown(work.asked) from error
        except EmbedError as error:
            raise Refusal(500, "the model could not be loaded", reason=str(error)) from error

    async def _results(self, http: Request, work: Work, embedder: Embedder) -> list[Embedded]:
        options = _options(work, embedder)
        try:
            gone = partial(_gone, http)
            return await self.admission.run(embedder, work.texts, options, gone=gone)
        except Refusal:
            raise
        except EmbedError as error:
            raise _worded(error, work) from error


def _unknown(asked: str) -> Refusal:
    return Refusal(404, f"model {gojson.quote(asked)} not found, try pulling it first")


def _options(work: Work, embedder: Embedder) -> Options:
    """Return the engine's options for `work`.

    Raises:
        Refusal: 400, the limit leaves no room for a text.
    """
    limit, spec = work.num_ctx, embedder.spec
    if limit is not None and 0 < limit <= embedder.tokenizer.special_tokens:
        raise Refusal(400, wire.NO_ROOM)
    starved = limit is not None and limit <= 0
    return Options(
        prompt=work.ours.prompt,
        prefix=work.ours.prefix,
        dimensions=work.dimensions if 0 < work.dimensions < spec.dimensions else None,
        max_tokens=_SMALLEST_CONTEXT if starved else limit,
        truncate=work.truncate and not starved,
        normalize=work.ours.normalize,
        raises_limit=True,  # as Ollama's `num_ctx`
    )


def _worded(error: EmbedError, work: Work) -> Refusal:
    """Return what the contract says of an engine's error; the log gets the engine's own words."""
    if isinstance(error, TextTooLong):
        return Refusal(400, wire.NOT_CUT if work.truncate else wire.TOO_LONG, reason=str(error))
    if isinstance(error, VectorError):
        return Refusal(400, wire.NOT_FINITE, reason=str(error))
    if isinstance(error, ModelError):
        return Refusal(500, "the model failed to run", reason=str(error))
    return Refusal(400, str(error))


async def _gone(http: Request) -> None:
    """Return when the client has gone away."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


async def _off_loop(work: Callable[[], T], *, large: bool) -> T:
    """Do `work`, in a thread where it is large: the hop costs more than a small one."""
    return await asyncio.to_thread(work) if large else work()


class Embedding:
    """The endpoints."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def embed(self, http: Request) -> Response:
        """POST /api/embed."""
        started = perf_counter_ns()
        fields = await self._service.fields(http, wire.EMBED)
        asked = fields.get("model", "")
        missing = Refusal(404, f"model '{asked}' not found")
        name = wire.model_name(fields, empty=missing)
        texts = guard.texts(fields.get("input"), self._service.limits)
        work = Work(
            asked,
            await self._service.find(asked, name),
            texts,
            truncate=fields.get("truncate", True),
            dimensions=fields.get("dimensions", 0),
            num_ctx=wire.num_ctx(fields),
            keep_alive=fields.get("keep_alive"),
            ours=wire.extension(fields),
        )
        results, ready = await self._service.run(http, work)
        now = perf_counter_ns()

        def reply() -> bytes:
            body = ollama.document(
                asked, results, total_duration=now - started, load_duration=ready - started
            )
            wanted = work.ours.receipts and results
            return body[:-1] + wire.receipts(results) if wanted else body

        body = await _off_loop(reply, large=len(results) > _LARGE_REPLY)
        return Response(body, media_type=guard.JSON)

    async def embeddings(self, http: Request) -> Response:
        """POST /api/embeddings, whose errors past the first checks are all 500."""
        fields = await self._service.fields(http, wire.LEGACY)
        asked = fields.get("model", "")
        name = wire.model_name(fields, empty=Refusal(400, "model is required"))
        model = await self._service.find(asked, name, any_case=False)
        prompt = fields.get("prompt", "")
        if not prompt and fields.get("input"):
            note(http.scope, {"hint": _MISSPELT})
        texts = guard.texts(prompt, self._service.limits)
        work = Work(
            asked,
            model,
            texts,
            truncate=False,
            num_ctx=wire.num_ctx(fields),
            keep_alive=fields.get("keep_alive"),
        )
        try:
            results, _ = await self._service.run(http, work)
        except Refusal as refusal:
            if refusal.status == 400:
                refusal.status = 500
            raise
        body = wire.legacy_reply(results[0].vector if results else None)
        return Response(body, media_type=guard.JSON)

    async def openai(self, http: Request) -> Response:
        """POST /v1/embeddings."""
        fields = await self._service.fields(http, wire.OPENAI)
        as_base64 = openai.wants_base64(fields)
        given = openai.given_input(fields)
        asked = fields.get("model", "")
        missing = Refusal(404, f"model '{asked}' not found")
        name = wire.model_name(fields, empty=missing)
        texts = guard.texts(given, self._service.limits)
        model = await self._service.find(asked, name)
        work = Work(asked, model, texts, dimensions=fields.get("dimensions", 0))
        results, _ = await self._service.run(http, work)
        body = await _off_loop(
            lambda: openai.reply(asked, results, as_base64=as_base64),
            large=len(results) > _LARGE_REPLY,
        )
        return Response(body, media_type=_OPENAI_JSON)
