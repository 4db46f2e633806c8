"""The web application: which path leads where, and what becomes of errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from embedcli.errors import (
    EmbedError,
    InputError,
    ModelError,
    ModelNotFound,
    NetworkError,
    OutputError,
    UsageError,
    code_for,
)
from embedcli.server.admission import Admission, ClientGone
from embedcli.server.embedding import Embedding, Service
from embedcli.server.guard import JSON, Access, Guard, Limits, refuse
from embedcli.server.management import Management
from embedcli.server.metrics import Metrics, RequestLog, log, note
from embedcli.server.names import Name
from embedcli.server.pool import ModelPool
from embedcli.server.store import ModelIndex, ModelStore, ServedModel
from embedcli.server.wire import Refusal

# What an error means that no endpoint has put into the contract's words. Its own words may name
# paths of this machine, so only the log gets them.
STATUSES: dict[type[EmbedError], int] = {
    UsageError: 400,
    InputError: 400,
    ModelNotFound: 404,
    ModelError: 500,
    NetworkError: 502,
    OutputError: 507,
}
_MEANINGS = {
    400: "the request cannot be served",
    404: "model not found",
    500: "the model could not be loaded or run",
    502: "the model hub cannot be reached",
    507: "the disk cannot take the model",
}

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves."""

    access: Access = field(default_factory=Access)
    limits: Limits = field(default_factory=Limits)
    keep_alive: float = 300.0  # seconds; infinity for ever
    most_models: int = 3
    most_tokens: int = 2_000_000  # waiting for one model
    timeout: float | None = 600.0  # seconds
    preload: Sequence[Name] = ()
    may_change: bool = True  # models may be pulled and deleted over HTTP


class State:
    """Whether the server takes work."""

    def __init__(self) -> None:
        self.ready = False
        self.failure: Exception | None = None  # why the server has to end


class Methods:
    """A path's endpoints by method; the others are refused in Go's words."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the endpoint of the request's method."""
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            allow = {"Allow": ", ".join(self._endpoints)}
            response: Response = PlainTextResponse("405 method not allowed", 405, allow)
        else:
            response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


def create_app(store: ModelStore, settings: Settings) -> Starlette:
    """Return the application that serves the models in `store`."""
    pool = ModelPool(store.load, keep_alive=settings.keep_alive, most=settings.most_models)
    admission = Admission(most_tokens=settings.most_tokens)
    metrics, state = Metrics(), State()
    service = Service(
        ModelIndex(store), pool, admission, metrics, settings.limits, settings.timeout
    )
    management = Management(service, store, may_change=settings.may_change)
    table = _table(service, management, state)
    paths = {path: Methods(endpoints) for path, endpoints in table.items()}
    app = Starlette(
        routes=[Route(path, methods) for path, methods in paths.items()],
        middleware=[
            Middleware(RequestLog, metrics=metrics, known=paths.__contains__),
            Middleware(Guard, access=settings.access),
        ],
        exception_handlers={
            Refusal: _refused,
            EmbedError: _failed,
            ClientGone: _gone,
            ClientDisconnect: _gone,
            HTTPException: _not_found(paths),
            Exception: _broken,
        },
        lifespan=_lifespan(service, management, settings.preload, state),
    )
    app.router.redirect_slashes = False  # Go redirects otherwise
    app.state.server = state
    return app


def _table(
    service: Service, management: Management, state: State
) -> dict[str, dict[str, Endpoint]]:
    """Return the endpoints by path and method."""
    embedding = Embedding(service)
    document = (resources.files("embedcli.server") / "openapi.json").read_bytes()

    async def root(_: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def health(_: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def ready(_: Request) -> Response:
        if state.ready:
            return Response(b'{"status":"ready"}', media_type=JSON)
        return Response(b'{"status":"not ready"}', 503, media_type=JSON)

    async def counters(_: Request) -> Response:
        embedders = service.pool.embedders()
        waits = service.admission.waiting
        waiting = {str(name): waits(model) for name, model in embedders.items()}
        page = service.metrics.page(waiting)
        return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(_: Request) -> Response:
        return Response(document, media_type=JSON)

    return {
        "/": _read(root),
        "/api/version": _read(management.version),
        "/api/tags": _read(management.tags),
        "/api/ps": {"GET": management.ps},
        "/api/embed": {"POST": embedding.embed},
        "/api/embeddings": {"POST": embedding.embeddings},
        "/api/show": {"POST": management.show},
        "/api/pull": {"POST": management.pull},
        "/api/delete": {"DELETE": management.delete},
        "/api/generate": {"POST": management.generate},
        "/api/chat": {"POST": management.chat},
        "/v1/embeddings": {"POST": embedding.openai},
        "/v1/models": {"GET": management.openai_models},
        "/v1/models/{model}": {"GET": management.openai_model},
        "/health": _read(health),
        "/ready": _read(ready),
        "/metrics": {"GET": counters},
        "/openapi.json": {"GET": openapi},
    }


def _read(endpoint: Endpoint) -> dict[str, Endpoint]:
    return {"HEAD": endpoint, "GET": endpoint}


def _lifespan(
    service: Service, management: Management, preload: Sequence[Name], state: State
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with _telling(state):
            models = [_present(service, name) for name in preload]
        # Meanwhile the server answers, and is not ready.
        loading = asyncio.create_task(_load(service, models, state))
        yield
        state.ready = False
        loading.cancel()
        management.close()
        await service.pool.close()
        service.admission.close()

    return lifespan


@contextmanager
def _telling(state: State) -> Iterator[None]:
    """Note what goes wrong, for the one who runs the server."""
    try:
        yield
    except Exception as error:
        state.failure = error
        raise


def _present(service: Service, name: Name) -> ServedModel:
    model = service.index.find(name)
    if model is None:
        raise ModelNotFound(f"model '{name}' not found", hint=f"embed pull {name.typed()}")
    return model


async def _load(service: Service, models: Sequence[ServedModel], state: State) -> None:
    with suppress(Exception), _telling(state):
        for model in models:
            async with service.pool.using(model):
                log.info("loaded %s", model.name)
        state.ready = True


async def _refused(http: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if error.reason:
        note(http.scope, {"reason": error.reason})
    return refuse(http.url.path, error)


async def _failed(http: Request, error: Exception) -> Response:
    assert isinstance(error, EmbedError)
    note(http.scope, {"reason": str(error)})
    status = code_for(error, STATUSES)
    return refuse(http.url.path, Refusal(status, _MEANINGS[status]))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


async def _broken(http: Request, error: Exception) -> Response:
    """Answer for a bug, whose traceback goes to the log alone."""
    log.error("a bug", exc_info=error)
    return refuse(http.url.path, Refusal(500, "internal server error"))


def _not_found(paths: Mapping[str, Methods]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the answer for a path that is none, or is one but for a slash at its end."""

    async def answer(http: Request, _: Exception) -> Response:
        path = http.scope["path"]
        if path.endswith("/") and path.rstrip("/") in paths:
            status = 301 if http.method == "GET" else 307
            query = f"?{http.url.query}" if http.url.query else ""
            return RedirectResponse(path.rstrip("/") + query, status)
        return PlainTextResponse("404 page not found", 404)

    return answer
