"""What the server counts, for Prometheus, and the line it logs for each request.

Neither ever holds a text, a key, or a path that the server does not know.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedcli.server.gojson import Json

NOTES = "embedcli.notes"  # where a request's scope keeps what its log line adds

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

log = logging.getLogger("embedcli.serve")


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "embed_requests", "Requests answered.", ("path", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "embed_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._texts = Counter("embed_texts", "Texts embedded.", ("model",), registry=self._registry)
        self._tokens = Counter(
            "embed_tokens", "Tokens embedded.", ("model",), registry=self._registry
        )
        self._truncated = Counter(
            "embed_truncated_texts", "Texts that were cut.", ("model",), registry=self._registry
        )
        self._waiting = Gauge(
            "embed_waiting_tokens",
            "Tokens waiting for a core.",
            ("model",),
            registry=self._registry,
        )
        self._loaded = Gauge("embed_loaded_models", "Models in memory.", registry=self._registry)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def embedded(self, model: str, *, texts: int, tokens: int, truncated: int) -> None:
        """Count work done."""
        self._texts.labels(model).inc(texts)
        self._tokens.labels(model).inc(tokens)
        self._truncated.labels(model).inc(truncated)

    def page(self, waiting: Mapping[str, int]) -> bytes:
        """Return all counters in Prometheus' text format; `waiting` is tokens by loaded model."""
        self._loaded.set(len(waiting))
        self._waiting.clear()
        for model, tokens in waiting.items():
            self._waiting.labels(model).set(tokens)
        return generate_latest(self._registry)


class RequestLog:
    """Counts each request, and logs one line for it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, known: Callable[[str], bool]) -> None:
        """Take the path of a request into counters only where `known`, or they would never end."""
        self._app = app
        self._metrics = metrics
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[NOTES] = notes = {"method": scope["method"], "path": "other", "status": 500}
        started = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                notes["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            if self._known(scope["path"]):
                notes["path"] = scope["path"]
            self._metrics.answered(notes["path"], notes["status"], seconds)
            log.info("request", extra={"notes": {**notes, "ms": round(seconds * 1000, 1)}})


def note(scope: Scope, facts: Mapping[str, Json]) -> None:
    """Add facts to the request's log line."""
    scope.get(NOTES, {}).update(facts)


class TextLines(logging.Formatter):
    """Log lines for people: `2026-11-23T07:30:00+00:00 POST /api/embed 200 4.2 ms tokens=8`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        notes = dict(getattr(record, "notes", {}))
        if not notes:
            return f"{_now()} {super().format(record)}"
        head = " ".join(str(notes.pop(name)) for name in ("method", "path", "status", "ms"))
        return " ".join([_now(), head, "ms", *(f"{name}={_value(v)}" for name, v in notes.items())])


class JsonLines(logging.Formatter):
    """Log lines for machines: one JSON object each."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        notes = getattr(record, "notes", None) or {"message": super().format(record)}
        return orjson.dumps({"time": _now(), "level": record.levelname.lower(), **notes}).decode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _value(value: Json) -> str:
    return orjson.dumps(value).decode() if isinstance(value, str) and " " in value else str(value)
