"""A model on a server: an embedder whose work is done over HTTP, by our server or Ollama's.

Our own server tells in a reply how many tokens each text had, and which were cut. Ollama's tells
only the sum, so it is asked text by text, without cutting at first: the texts that it then refuses
are those that it has to cut. It works text by text anyway.
"""

import http.client
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import numpy as np
import orjson

from embedcli import keys
from embedcli.engine import asked, cores
from embedcli.errors import (
    EmbedError,
    ModelError,
    ModelNotFound,
    NetworkError,
    TextTooLong,
    UsageError,
    VectorError,
)
from embedcli.feed import Feed
from embedcli.models.spec import ModelSpec
from embedcli.outcomes import Outcome, vectors
from embedcli.records import DEFAULTS, Embedded, Options, Vectors
from embedcli.server.wire import NOT_FINITE, TOO_LONG

T = TypeVar("T")

_BATCH: Final = 64  # texts a request
_BATCH_SIZE: Final = 2_000_000  # characters, far below what a server takes in bytes
_IN_FLIGHT: Final = 4  # requests at once: two to work on, two on their way
_TIMEOUT: Final = 900.0  # seconds for an answer
_PATIENCE: Final = 300.0  # seconds of a server being busy
_LONGEST_WAIT: Final = 30.0  # seconds between two attempts


class Remote:
    """A model on a server; safe to use from several threads at once."""

    def __init__(self, url: str, model: str, *, key: str | None = None) -> None:
        """Ask the server at `url` (`http://host:port`, `unix:/path`) for `model`'s facts.

        Raises:
            NetworkError: it does not answer.
            UsageError: it is no embedding server, wants another key, or `url` is no address;
                or `key` is none.
            ModelNotFound: it has no such model.
            ModelError: that model does not embed.
        """
        self._client = _Client(url, key)
        self._model = model
        facts = self._show()
        self._ours, self.spec = self._client.read(lambda: _spec(model, facts))
        self.threads = cores.allowed()
        self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="embed-remote")

    def load(self) -> None:
        """Do nothing: the server loads the model with the first text."""

    def close(self) -> None:
        """Close the connections, once what is under way has come back."""
        self._pool.shutdown(cancel_futures=True)
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed(self, texts: Sequence[str], options: Options = DEFAULTS) -> Vectors:
        """Return the vectors of `texts`, (N, D) float32; raises as `submit`'s future does."""
        rows = [embedded.vector for embedded in self.submit(texts, options).result()]
        dimensions = options.dimensions or self.spec.dimensions
        return np.stack(rows) if rows else np.empty((0, dimensions), np.float32)

    def submit(self, texts: Sequence[str], options: Options = DEFAULTS) -> Future[list[Embedded]]:
        """Send `texts`; the future holds their vectors in order.

        Raises UsageError at once for what the model does not have; through the future TextTooLong,
        VectorError, and NetworkError where the server is busy or away for good.
        """
        asked.dimensions(self.spec, options)
        self._check(options)
        future: Future[list[Embedded]] = Future()

        def gather() -> None:
            try:
                future.set_result(list(self.stream(texts, options)))
            except Exception as error:  # theirs who asked, whatever it is
                future.set_exception(error)

        threading.Thread(target=gather, name="embed-submit", daemon=True).start()
        return future

    def stream(self, texts: Iterable[str], options: Options = DEFAULTS) -> Iterator[Embedded]:
        """Yield the vectors of any number of texts, in order, as they come."""
        return vectors(self.outcomes(texts, options))

    def outcomes(self, texts: Iterable[str], options: Options = DEFAULTS) -> Generator[Outcome]:
        """Yield as `stream` does; in the place of a text that has no vector stands its error."""
        asked.dimensions(self.spec, options)
        self._check(options)
        feed = Feed(texts, room=_BATCH * _IN_FLIGHT)
        batches = feed.begun(
            lambda batch: self._pool.submit(self._batch, batch, options),
            size=_BATCH if self._ours else 1,
            ahead=_IN_FLIGHT,
        )
        with closing(batches):
            for batch in batches:
                yield from batch.result()

    def _check(self, options: Options) -> None:
        """Let `options` pass if this server understands them.

        Raises:
            UsageError: it does not.
        """
        if self._ours:
            asked.prefix(self.spec, options)
        elif options.prompt is not None or not options.normalize:
            raise UsageError(
                "this server knows neither prompts nor vectors that are not of unit length",
                hint="give the words of a prompt with --prefix",
            )

    def _batch(self, texts: list[str], options: Options) -> Sequence[Outcome]:
        """Return what becomes of each of `texts`."""
        if len(texts) > 1 and sum(map(len, texts)) > _BATCH_SIZE:
            return self._halves(texts, options)
        try:
            return self._ask(texts, options) if self._ours else self._ask_plainly(texts, options)
        except _Refused as refusal:
            if refusal.what not in (TOO_LONG, NOT_FINITE):
                raise self._client.complaint(refusal) from refusal
            if len(texts) == 1:
                return [self._blamed(refusal, options)]
        # The answer does not say which text is to blame: one half has it, and the other is served.
        return self._halves(texts, options)

    def _halves(self, texts: list[str], options: Options) -> Sequence[Outcome]:
        half = len(texts) // 2
        return [*self._batch(texts[:half], options), *self._batch(texts[half:], options)]

    def _blamed(self, refusal: "_Refused", options: Options) -> TextTooLong | VectorError:
        if refusal.what == NOT_FINITE:
            return VectorError(index=0)
        limit = asked.limit(self.spec, options)
        return TextTooLong(index=0, tokens=f"more than {limit}", limit=limit)

    def _ask_plainly(self, texts: list[str], options: Options) -> list[Embedded]:
        """Ask a server that does not tell what it cut."""
        try:
            return self._ask(texts, replace(options, truncate=False))
        except _Refused as refusal:
            if refusal.what != TOO_LONG or not options.truncate:
                raise
            return [replace(cut, truncated=True) for cut in self._ask(texts, options)]

    def _ask(self, texts: list[str], options: Options) -> list[Embedded]:
        reply = self._client.post("/api/embed", self._request(texts, options))
        return self._client.read(lambda: _embedded(reply, len(texts)))

    def _request(self, texts: list[str], options: Options) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "truncate": options.truncate,
            "dimensions": options.dimensions or 0,
        }
        if options.max_tokens is not None:
            request["options"] = {"num_ctx": asked.limit(self.spec, options)}
        if not self._ours:
            prefix = options.prefix or ""
            return {**request, "input": [prefix + text for text in texts]}
        ours = {
            "receipts": True,
            "prompt": options.prompt,
            "prefix": options.prefix,
            "normalize": options.normalize,
        }
        return {**request, "input": texts, "embedcli": ours}

    def _show(self) -> Mapping[str, Any]:
        try:
            facts: Mapping[str, Any] = self._client.post("/api/show", {"model": self._model})
        except _Refused as refusal:
            if refusal.status == 404 and "not found" in refusal.what:
                raise ModelNotFound(
                    f"model '{self._model}' not found on `{self._client.url}`",
                    hint=f"pull it there: embed pull {self._model}, or ollama pull {self._model}",
                ) from refusal
            raise self._client.complaint(refusal) from refusal
        if not self._client.read(lambda: "embedding" in facts.get("capabilities", ["embedding"])):
            raise ModelError(f"`{self._model}` on `{self._client.url}` does not embed")
        return facts


def _spec(model: str, facts: Mapping[str, Any]) -> tuple[bool, ModelSpec]:
    """Return whether a server is ours, and what it tells of its model; its files are not here."""
    info: Mapping[str, Any] = facts["model_info"]
    named = {key.rpartition(".")[2]: value for key, value in info.items()}
    context = int(named.get("context_length", 512))
    told = str(facts.get("parameters", "")).split()
    limit = int(told[told.index("num_ctx") + 1]) if "num_ctx" in told else context
    spec = ModelSpec(
        name=model,
        folder=Path(),
        graph=Path(),
        tokenizer=Path(),
        dimensions=int(named.get("embedding_length", 0)),
        max_tokens=min(limit, context),
        context=context,
        pooling=(),
        prompts=dict(info.get("embedcli.prompts") or {}),
        default_prompt=info.get("embedcli.default_prompt"),
        digest=info.get("embedcli.digest") or str(facts.get("modified_at", "")),
    )
    return "embedcli.max_tokens" in info, spec


def _embedded(reply: Mapping[str, Any], number: int) -> list[Embedded]:
    """Return the vectors of a reply to a `number` of texts."""
    vectors = np.array(reply["embeddings"], np.float32)
    if vectors.ndim != 2 or len(vectors) != number:
        raise ValueError("too few or too many vectors")
    tokens = reply.get("tokens") or [reply.get("prompt_eval_count", 0)]
    truncated = reply.get("truncated") or [False]
    return [Embedded(*row) for row in zip(vectors, tokens, truncated, strict=True)]


class _Refused(Exception):
    """An answer that is no 200."""

    def __init__(self, status: int, what: str, retry_after: float = 1.0) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.retry_after = retry_after


class _Client:
    """The way to one server: its address, and connections that are kept for the next request."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self._address = _Address(url)
        self._headers = {"Content-Type": "application/json"}
        if key and (known := keys.read(key)):
            self._headers["Authorization"] = f"Bearer {known}"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401  # a JSON object
        """Return the answer's object; a busy server is asked again, as it says when.

        Raises:
            _Refused: it answers with another status than 200.
            NetworkError: it does not answer.
            UsageError: the answer is no JSON object.
        """
        content = orjson.dumps(body)
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._once(path, content)
            except _Refused as refusal:
                if refusal.status != 503 or time.monotonic() > until:
                    raise
                time.sleep(min(refusal.retry_after, _LONGEST_WAIT))

    def read(self, what: Callable[[], T]) -> T:
        """Return what is made of an answer.

        Raises:
            UsageError: the answer has not the shape that it must have for that.
        """
        try:
            return what()
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise self._other("it answers in another shape") from error

    def _other(self, why: str) -> UsageError:
        return UsageError(
            f"the server at `{self.url}` is no embedding server: {why}",
            hint="start one with `embed serve`, or correct --server",
        )

    def complaint(self, refusal: _Refused) -> EmbedError:
        """Return what to tell a person of an answer that cannot be worked with."""
        if refusal.status == 401:
            return UsageError(
                f"the server at `{self.url}` wants a key", hint="set EMBED_API_KEY to it"
            )
        if refusal.status == 503:
            return NetworkError(f"the server at `{self.url}` stays busy", hint="try again later")
        elsewhere = refusal.status in (404, 405)
        return UsageError(
            f"the server at `{self.url}` refuses: {refusal.status} {refusal.what}",
            hint="is it an embedding server? `embed serve` and Ollama are" if elsewhere else "",
        )

    def close(self) -> None:
        """Close the idle connections."""
        while not self._idle.empty():
            self._idle.get().close()

    def _once(self, path: str, content: bytes) -> Any:  # noqa: ANN401
        status, headers, raw = self._exchange(path, content)
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise self._other(f"it answers {status}, no JSON")
        if status != 200:
            retry = headers.get("Retry-After", "1")
            seconds = float(retry) if retry.isdigit() else 1.0
            raise _Refused(status, str(answer.get("error", "")), max(seconds, 0.1))
        return answer

    def _exchange(self, path: str, content: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send a request and read its answer; a kept connection may have been closed meanwhile."""
        while True:
            try:
                connection, fresh = self._idle.get_nowait(), False
            except queue.Empty:
                connection, fresh = self._address.connection(), True
            try:
                connection.request("POST", self._address.path + path, content, self._headers)
                response = connection.getresponse()
                answer = response.status, response.headers, response.read()
            except (OSError, UnicodeError, http.client.HTTPException) as error:
                connection.close()
                if fresh:
                    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                    raise NetworkError(
                        f"cannot reach the server at `{self.url}`: {why}",
                        hint="start one with `embed serve`, or correct --server",
                    ) from error
                continue
            self._idle.put(connection)
            return answer


class _Address:
    """What a URL means."""

    def __init__(self, url: str) -> None:
        """Read `url`.

        Raises:
            UsageError: it is no address of a server.
        """
        wrong = UsageError(
            f"`--server {url}` is no address", hint="write http://host:port or unix:/path"
        )
        try:
            parts = urlsplit(url if "://" in url or url.startswith("unix:") else f"http://{url}")
            self._port = parts.port
        except ValueError:
            raise wrong from None
        self.path = "" if parts.scheme == "unix" else parts.path.rstrip("/")
        self._parts = parts
        if parts.scheme not in ("http", "https", "unix"):
            raise wrong
        if not (parts.path if parts.scheme == "unix" else parts.hostname):
            raise wrong

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection, not yet open."""
        parts = self._parts
        if parts.scheme == "unix":
            return _UnixConnection(parts.netloc + parts.path)
        kind = {"https": "HTTPSConnection"}.get(parts.scheme, "HTTPConnection")
        made: http.client.HTTPConnection = getattr(http.client, kind)(
            parts.hostname, self._port, timeout=_TIMEOUT
        )
        return made


class _UnixConnection(http.client.HTTPConnection):
    """HTTP through a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)
