"""The endpoints that manage models: which there are, and their coming and going."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from embedcli.errors import EmbedError, ModelNotFound, OutputError
from embedcli.server import gojson, names, wire
from embedcli.server.embedding import Service
from embedcli.server.guard import JSON
from embedcli.server.metrics import log
from embedcli.server.names import Name
from embedcli.server.store import ModelStore, Progress, ServedModel
from embedcli.server.wire import Fields, Refusal, Struct

VERSION = "0.33.0"  # of the contract that is kept: clients look at it for what they may ask
_PROGRESS_EVERY = 2**20  # bytes
_PULLS = 4  # at once; others wait for their turn


class Management:
    """The endpoints; `may_change` says whether models may be pulled and deleted from here."""

    def __init__(self, service: Service, store: ModelStore, *, may_change: bool) -> None:
        self._service = service
        self._store = store
        self._may_change = may_change
        # Threads of their own: slow downloads would keep all others from looking and loading.
        self._pullers = ThreadPoolExecutor(_PULLS, thread_name_prefix="embed-pull")

    def close(self) -> None:
        """Begin no more downloads."""
        self._pullers.shutdown(wait=False, cancel_futures=True)

    async def version(self, _: Request) -> Response:
        """GET /api/version."""
        return _json({"version": VERSION})

    async def tags(self, _: Request) -> Response:
        """GET /api/tags."""
        return _json({"models": [_tag(model) for model in await self._models()]})

    async def ps(self, _: Request) -> Response:
        """GET /api/ps."""
        return _json(
            {
                "models": [
                    {
                        **_listed(loaded.model),
                        "expires_at": loaded.expires.isoformat(),
                        "size_vram": 0,
                        "context_length": loaded.model.max_tokens,
                    }
                    for loaded in self._service.pool.loaded()
                ]
            }
        )

    async def show(self, http: Request) -> Response:
        """POST /api/show."""
        fields = await self._named(http, wire.SHOW)
        name = wire.model_name(fields, empty=Refusal(400, "model is required"))
        model = await self._service.look(name)
        if model is None:
            raise Refusal(404, f"model '{name}' not found")
        return _json(_shown(model))

    async def openai_models(self, _: Request) -> Response:
        """GET /v1/models."""
        models = [_openai_model(str(m.name), m) for m in await self._models()]
        return _json({"object": "list", "data": models})

    async def openai_model(self, http: Request) -> Response:
        """GET /v1/models/{model}."""
        asked = http.path_params["model"]
        name = names.parse(asked)
        model = await self._service.look(name) if name else None
        if model is None:
            raise Refusal(404, f"model '{name or asked}' not found")
        return _json(_openai_model(asked, model))

    async def delete(self, http: Request) -> Response:
        """DELETE /api/delete."""
        self._check_may_change()
        fields = await self._named(http, wire.DELETE)
        asked = fields.get("model", "")
        if names.is_empty(asked):
            raise Refusal(400, "model is required")
        name = names.parse(asked)
        if name is None:
            raise Refusal(400, f"name {gojson.quote(asked)} is invalid")
        model = await self._service.look(name)
        if model is None:
            raise Refusal(404, f"model '{asked}' not found")
        if not model.removable:
            raise Refusal(400, f"model '{asked}' is a part of the program and cannot be deleted")
        self._service.pool.release(model)
        await asyncio.to_thread(self._store.delete, model)
        await self._models()
        return Response()

    async def pull(self, http: Request) -> Response:
        """POST /api/pull: a line of JSON for each step, `success` last."""
        self._check_may_change()
        fields = await self._named(http, wire.PULL)
        name = wire.model_name(fields, empty=Refusal(400, "invalid model name"))
        steps = self._pulling(name)
        if fields.get("stream", True):
            lines = (gojson.write(step) + b"\n" async for step in steps)
            return StreamingResponse(lines, media_type="application/x-ndjson")
        last = {"status": "success"}
        async for step in steps:
            last = step
        return _json(last, status=500 if "error" in last else 200)

    async def generate(self, http: Request) -> Response:
        """POST /api/generate: only its way to unload a model."""
        fields = await self._service.fields(http, wire.GENERATE)
        return await self._unload(fields, "generate", {"response": ""}, content="prompt")

    async def chat(self, http: Request) -> Response:
        """POST /api/chat: only its way to unload a model."""
        fields = await self._service.fields(http, wire.CHAT)
        message = {"message": {"role": "assistant", "content": ""}}
        return await self._unload(fields, "chat", message, content="messages")

    async def _unload(
        self, fields: Fields, verb: str, answer: dict[str, Any], *, content: str
    ) -> Response:
        asked = fields.get("model", "")
        missing = Refusal(404, f"model '{asked}' not found")
        model = await self._service.look(wire.model_name(fields, empty=missing))
        if model is None:
            raise missing
        if fields.get(content) or fields.get("keep_alive") != 0:
            raise Refusal(400, f"{gojson.quote(asked)} does not support {verb}")
        self._service.pool.release(model)
        done = {"done": True, "done_reason": "unload"}
        now = datetime.now(UTC).isoformat()
        return _json({"model": asked, "created_at": now, **answer, **done})

    async def _models(self) -> list[ServedModel]:
        return await asyncio.to_thread(self._service.index.models)

    async def _named(self, http: Request, struct: Struct) -> Fields:
        """Read a body whose model may be called `name`, as older clients do."""
        fields = await self._service.fields(http, struct)
        return {**fields, "model": fields.get("model") or fields.get("name", "")}

    def _check_may_change(self) -> None:
        if not self._may_change:
            raise Refusal(
                403,
                "models cannot be changed from here",
                reason="only on a loopback address, or with --allow-changes",
            )

    async def _pulling(self, name: Name) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the steps of a download; an error is the last of them."""
        yield {"status": "pulling manifest"}
        reported = ("", -_PROGRESS_EVERY)
        try:
            async with aclosing(self._progress(name)) as steps:
                async for step in steps:
                    file, completed = reported
                    whole = step.completed == step.total
                    if step.file != file or whole or step.completed - completed >= _PROGRESS_EVERY:
                        reported = (step.file, step.completed)
                        yield _pulled(step)
        except Exception as error:  # the answer has begun: no other can be given any more
            yield {"error": f"pull model manifest: {_reason(error)}"}
            return
        await self._models()
        for status in ("verifying sha256 digest", "writing manifest", "success"):
            yield {"status": status}

    async def _progress(self, name: Name) -> AsyncGenerator[Progress, None]:
        """Yield how far a download has come, which ends when nobody wants to know any more.

        Raises whatever stopped it.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[Progress | None] = asyncio.Queue()
        left = threading.Event()

        def report(step: Progress) -> None:
            if left.is_set():
                raise _NotWanted
            loop.call_soon_threadsafe(told.put_nowait, step)

        pulling = loop.run_in_executor(self._pullers, self._store.pull, name, report)
        pulling.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (step := await told.get()) is not None:
                yield step
            await pulling
        finally:
            left.set()
            pulling.cancel()


class _NotWanted(Exception):
    """Nobody waits for a download any more; what has come of it is kept."""


def _reason(error: Exception) -> str:
    if isinstance(error, ModelNotFound):
        return "file does not exist"
    if isinstance(error, OutputError):  # it names a folder of this machine
        return "no room or right to write it"
    if isinstance(error, EmbedError):
        return str(error)
    log.error("a bug", exc_info=error)
    return "internal server error"


def _pulled(step: Progress) -> dict[str, Any]:
    line = {"status": f"pulling {step.file}", "digest": f"sha256:{step.file}", "total": step.total}
    return {**line, "completed": step.completed} if step.completed else line


def _json(value: dict[str, Any], *, status: int = 200) -> Response:
    return Response(gojson.write(value), status, media_type=JSON)


def _details(model: ServedModel) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "onnx",
        "family": model.family,
        "families": [model.family],
        "parameter_size": _size(model.parameters),
        "quantization_level": model.quantization,
    }


def _listed(model: ServedModel) -> dict[str, Any]:
    name = str(model.name)
    return {
        "name": name,
        "model": name,
        "size": model.size,
        "digest": model.digest,
        "details": _details(model),
    }


def _tag(model: ServedModel) -> dict[str, Any]:
    sizes = {"context_length": model.context_length, "embedding_length": model.dimensions}
    listed = _listed(model)
    return {
        **listed,
        "modified_at": model.modified.isoformat(),
        "details": {**listed["details"], **sizes},
        "capabilities": ["embedding"],
    }


def _shown(model: ServedModel) -> dict[str, Any]:
    family = model.family
    info = {
        "general.architecture": family,
        "general.basename": model.name.model,
        "general.parameter_count": model.parameters,
        f"{family}.context_length": model.context_length,
        f"{family}.embedding_length": model.dimensions,
        "embedcli.digest": model.digest,
        "embedcli.max_tokens": model.max_tokens,
        "embedcli.prompts": dict(model.prompts),
        "embedcli.default_prompt": model.default_prompt,
    }
    return {
        "parameters": f"{'num_ctx':<30} {model.max_tokens}",
        "details": _details(model),
        "model_info": {key: value for key, value in info.items() if value is not None},
        "capabilities": ["embedding"],
        "modified_at": model.modified.isoformat(),
    }


def _size(parameters: int) -> str:
    """Return how Ollama writes a number of weights: `23M`, `1.54B`; empty if it is not known."""
    if not parameters:
        return ""
    return f"{parameters / 1e9:.2f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


def _openai_model(shown: str, model: ServedModel) -> dict[str, Any]:
    return {
        "id": shown,
        "object": "model",
        "created": int(model.modified.timestamp()),
        "owned_by": model.name.namespace,
    }
