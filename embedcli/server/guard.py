"""Who may ask, and how much: host, origin, key, and the sizes of what is sent.

The rules for `Host` and `Origin` are Ollama's (`server/routes.go`, `allowedHostsMiddleware`, and
gin-contrib/cors): a page in a browser must not reach a server that is meant for this machine.
"""

import asyncio
import hmac
import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedcli.errors import UsageError
from embedcli.formats import sources
from embedcli.server import gojson, openai, wire
from embedcli.server.gojson import Json
from embedcli.server.metrics import note
from embedcli.server.wire import Refusal

JSON = "application/json; charset=utf-8"

_LOCAL_ORIGINS = tuple(
    f"{scheme}://{host}{port}"
    for host in ("localhost", "127.0.0.1", "0.0.0.0")
    for scheme in ("http", "https")
    for port in ("", ":*")
)
_APPS = ("app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*")
_NAME_ENDINGS = (".localhost", ".local", ".internal")
_PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
_ALLOWED_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta,"
    "X-Stainless-Arch,X-Stainless-Async,X-Stainless-Custom-Poll-Interval,"
    "X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,"
    "X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
    "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
    "Access-Control-Max-Age": "43200",
}
_OPEN_PATHS = {"/", "/health", "/ready"}  # what a probe asks, and what tells nothing

_MOST_UNPACKED = 20 * 2**20  # bytes; this and the next are Ollama's
_ZSTD_WINDOW = 8 * 2**20  # bytes

# Bytes a second that a client must send of a long body, and take of a long answer, once the first
# grace is over.
SLOWEST = 64 * 1024

_QUOTE, _COMMA = ord('"'), ord(",")
_CHUNK = 64 * 1024  # bytes, which a core keeps close


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a request may bring, and how slowly."""

    body: int = 32 * 2**20  # bytes
    texts: int = 50_000
    characters: int = 1_000_000  # of one text
    patience: float = 30.0  # seconds a client may stall


@dataclass(frozen=True, slots=True)
class Access:
    """Who is given access."""

    loopback: bool = True  # bound to an address that only this machine reaches
    origins: Sequence[str] = ()  # allowed beside those of this machine and of desktop apps
    key: str | None = None


class Guard:
    """Turns away requests that a browser was tricked into, and those without the key."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._origins = (*access.origins, *_LOCAL_ORIGINS, *_APPS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = _single_slashes(scope["path"])
        headers = Headers(scope=scope)
        cors = self._cors(headers)
        answer = self._answer(scope, headers, cors)
        app = self._app if answer is None else answer
        await app(scope, receive, _with_headers(send, cors) if cors else send)

    def _answer(
        self, scope: Scope, headers: Headers, cors: dict[str, str] | None
    ) -> Response | None:
        """Return what to answer at once, or None to let the request in."""
        if scope["http_version"] == "1.1" and len(headers.getlist("host")) != 1:
            return PlainTextResponse("400 Bad Request: missing or repeated Host header", 400)
        if cors is None:
            note(scope, {"reason": "the origin is not allowed: see --origins"})
            return Response(status_code=403)
        if cors and scope["method"] == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        if self._access.loopback:
            host = _without_port(headers.get("host", ""))
            if not _is_local_name(host) and not _is_local_address(host):
                note(scope, {"reason": "the host is not of this machine, to which we are bound"})
                return Response(status_code=403)
            if scope["method"] == "OPTIONS" and _is_local_name(host):
                return Response(status_code=204)
        if scope["path"] not in _OPEN_PATHS and not self._has_key(headers):
            refusal = Refusal(401, "unauthorized", headers={"WWW-Authenticate": "Bearer"})
            return refuse(scope["path"], refusal)
        return None

    def _cors(self, headers: Headers) -> dict[str, str] | None:
        """Return the headers that an allowed origin needs: none for our own, None if refused."""
        origin = headers.get("origin")
        host = headers.get("host", "")
        if origin is None or origin in (f"http://{host}", f"https://{host}"):
            return {}
        if "*" in self._access.origins:
            return {"Access-Control-Allow-Origin": "*"}
        if any(_matches(origin, pattern) for pattern in self._origins):
            return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        return None

    def _has_key(self, headers: Headers) -> bool:
        if self._access.key is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # Compared in constant time, or each wrong byte would show in how long a refusal takes.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(), self._access.key.encode()
        )


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return sending


def _single_slashes(path: str) -> str:
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _matches(origin: str, pattern: str) -> bool:
    """Tell whether `origin` is `pattern`, where one `*` stands for anything."""
    before, star, after = pattern.partition("*")
    if not star:
        return origin == pattern
    long_enough = len(origin) >= len(before) + len(after)
    return long_enough and origin.startswith(before) and origin.endswith(after)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and ":" not in name and port.isdigit() else host


@lru_cache(maxsize=256)
def _is_local_name(host: str) -> bool:
    host = host.lower()
    names = ("", "localhost", socket.gethostname().lower())
    return host in names or host.endswith(_NAME_ENDINGS)


@lru_cache(maxsize=256)
def _is_local_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    return any(address in network for network in _PRIVATE) or _is_own(address)


def _is_own(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether `address` is one of this machine's: only such can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def refuse(path: str, refusal: Refusal) -> Response:
    """Return the answer to a refused request, in the shape that clients of `path` expect."""
    status, message = refusal.status, str(refusal)
    shape = openai.error(status, message) if path.startswith("/v1/") else {"error": message}
    return Response(gojson.write(shape), status, refusal.headers, JSON)


async def body(http: Request, limits: Limits) -> bytes:
    """Return the whole body of a request.

    Raises:
        Refusal: 413 it is over the limit, 408 it comes too slowly; both end the connection.
        ClientDisconnect: the client went away half-way.
    """
    announced = http.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limits.body:
        raise _too_large(limits.body)
    chunks: list[bytes] = []
    size = 0
    started = time.monotonic()
    stream = http.stream()
    while True:
        deadline = started + limits.patience + size / SLOWEST
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                chunk = await anext(stream, b"")
        except TimeoutError:
            raise Refusal(
                408, "the request body comes too slowly", headers={"Connection": "close"}
            ) from None
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > limits.body:
            raise _too_large(limits.body)
        chunks.append(chunk)


def _too_large(most: int) -> Refusal:
    return Refusal(
        413,
        f"request body too large: the limit is {most} bytes",
        headers={"Connection": "close"},
    )


def unpacked(packed: bytes, limits: Limits) -> bytes:
    """Return a zstd body as it was before, which Ollama's `/v1` accepts up to 20 MiB of.

    Raises:
        Refusal: 400 it is damaged or larger, 415 the package for it is not installed.
    """
    try:
        zstd = sources.zstandard()
    except UsageError as error:
        raise Refusal(415, str(error)) from error
    most = min(limits.body, _MOST_UNPACKED)
    unpacker = zstd.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    try:
        with unpacker.stream_reader(packed) as stream:
            plain: bytes = stream.read(most + 1)
    except zstd.ZstdError:
        raise Refusal(400, "the zstd body is damaged") from None
    if len(plain) > most:
        raise _too_large(most)
    return plain


def check_values(body: bytes, limits: Limits) -> None:
    """Let a body pass that cannot hold many more texts than the limit, before all are built.

    Raises:
        Refusal: 413.
    """
    most = max(gojson.MAX_VALUES, 2 * limits.texts)
    if body.count(b",") > most and _separators(body) > most:
        raise Refusal(413, f"too many inputs: the limit is {limits.texts}")


def _separators(body: bytes) -> int:
    """Return how many commas of a JSON document lie outside of strings."""
    # What is left between escaped quotes are quotes that open or close a string.
    plain = np.frombuffer(body.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    inside, found = False, 0
    for start in range(0, len(plain), _CHUNK):
        chunk = plain[start : start + _CHUNK]
        # Whether the number of quotes so far is odd; it may wrap, which leaves that as it is.
        odd = (np.cumsum(chunk == _QUOTE, dtype=np.uint8) + np.uint8(inside)) & 1
        found += int(np.count_nonzero((chunk == _COMMA) & (odd == 0)))
        inside = bool(odd[-1])
    return found


def texts(value: Json, limits: Limits) -> list[str]:
    """Return the texts of a request's input, which are neither too many nor too long.

    Raises:
        Refusal: 413, they are; the text names the place, never the words. 400, they are no texts.
    """
    if isinstance(value, list) and len(value) > limits.texts:
        raise Refusal(413, f"too many inputs: {len(value)}, the limit is {limits.texts}")
    given = wire.texts(value)
    for index, text in enumerate(given):
        if len(text) > limits.characters:
            raise Refusal(
                413,
                f"input {index} is too long: {len(text)} characters, "
                f"the limit is {limits.characters}",
            )
    return given
