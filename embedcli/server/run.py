"""A running server: its socket, the clients that stall, and the way it ends."""

import asyncio
import errno
import os
import signal
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from embedcli.errors import UsageError
from embedcli.server.guard import SLOWEST

_BACKLOG = 2048  # connections that wait to be accepted
_IDLE = 75  # seconds that a connection without a request stays open
_LARGEST_HEAD = 64 * 1024  # bytes


def tcp_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host` and `port`; port 0 is any free one.

    Raises:
        UsageError: the port is taken, or the address is not of this machine.
    """
    listener = None
    try:
        # Of a name with addresses of both kinds, `localhost` above all, clients try IPv4.
        family, kind, protocol, _, where = min(
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP),
            key=lambda address: address[0] != socket.AF_INET,
        )
        # With the protocol spelled out: asyncio only then sends small answers without delay.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
        return listener
    except (OSError, UnicodeError) as error:  # of a name with an empty or too long part
        if listener is not None:
            listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use", hint="choose another one with --port"
            ) from error
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen on `{host}`, port {port}: {why}",
            hint="choose an address of this machine with --host, or another --port",
        ) from error


def unix_socket(path: Path) -> socket.socket:
    """Return a socket that listens at `path`, for this user only; a dead one there is replaced.

    Raises:
        UsageError: something else is there, or nothing can be.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        if _is_dead_socket(path):
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        why = "it is in use" if taken else error.strerror or str(error)
        raise UsageError(
            f"cannot listen on `{path}`: {why}", hint="choose another path with --uds"
        ) from error
    return listener


def _is_dead_socket(path: Path) -> bool:
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return False
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def serve(
    app: Starlette,
    listener: socket.socket,
    *,
    started: Callable[[], None],
    patience: float,
    drain: float | None,
) -> None:
    """Serve `app` until SIGINT or SIGTERM, then finish what is under way and return.

    `started` is called once requests are answered. `patience` is how many seconds a client may
    stall, `drain` how many the end may take.

    Raises whatever kept a model from being loaded that was to be loaded first.
    """
    config = uvicorn.Config(
        app,
        http=_protocol(patience),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",  # we log requests and bugs ourselves
        access_log=False,
        server_header=False,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=None if drain is None else int(drain) + 1,
    )
    server = _Server(config, app, started)
    try:
        asyncio.run(server.serve(sockets=[listener]))
    except SystemExit:  # uvicorn's way to say that the start failed
        if server.failure() is None:
            raise
    failure = server.failure()
    if failure is not None:
        raise failure


class _Server(uvicorn.Server):
    """Ends by returning. Uvicorn's own raises the signal again, and so dies of it."""

    def __init__(self, config: uvicorn.Config, app: Starlette, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._state = app.state.server
        self._tell_started = started

    def failure(self) -> Exception | None:
        """Return why the server had to end, if it had to."""
        failure: Exception | None = self._state.failure
        return failure

    async def on_tick(self, counter: int) -> bool:
        """Say whether to end: also where a model could not be loaded."""
        return await super().on_tick(counter) or self.failure() is not None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self._tell_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the first SIGINT or SIGTERM; a second SIGINT does not wait for anyone."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _protocol(patience: float) -> type[asyncio.Protocol]:
    class Protocol(_PatientProtocol):
        seconds = patience

    return Protocol


class _Joined:
    """A transport that sends what is written in one turn of the loop with one call.

    Uvicorn writes head and body apart. Each call to the system gives up the interpreter's lock,
    and under load waits in a queue to have it back: a seventh of a request's time.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send `data` before the loop's next turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what is left, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts) if len(parts) > 1 else parts[0])


class _PatientProtocol(HttpToolsProtocol):
    """HTTP that cuts off a client who does not finish its head, or does not take its answer.

    A body that comes too slowly is the guard's affair: it can still answer with a reason. What
    comes of a body after its answer is dropped here, and has as long as a head.
    """

    seconds: float
    _in_body = False  # of the request whose head came last
    _head: asyncio.TimerHandle | None = None
    _head_size = 0  # bytes
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request, but not for ever."""
        super().connection_made(cast("asyncio.Transport", _Joined(transport, self.loop)))
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Note when a request's head begins, and when it is whole."""
        before, was_in_body = self.cycle, self._in_body
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()
        elif not self._in_body and (self.cycle is None or self.cycle.response_complete):
            self._begin_head(0 if was_in_body else len(data))

    def on_headers_complete(self) -> None:
        """Note that a body follows, perhaps an empty one."""
        super().on_headers_complete()
        self._in_body = True

    def on_message_complete(self) -> None:
        """Note that a head follows."""
        super().on_message_complete()
        self._in_body = False
        if self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that was answered early, but not for ever."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._await_head()

    def pause_writing(self) -> None:
        """Watch that a client who is behind keeps taking its answer."""
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        """Stop watching: the client has caught up."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._taking is not None:
            self._taking.cancel()

    def _begin_head(self, come: int) -> None:
        """Note `come` more bytes of a head that is not whole yet."""
        if self._head is None:
            self._await_head()
        self._head_size += come
        if self._head_size > _LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.seconds, self._cut_off)

    def _stop_waiting(self) -> None:
        self._head_size = 0
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cut_off(self) -> None:
        """Reset the connection: a plain close would keep what was not taken until it is."""
        at_once = struct.pack("ii", 1, 0)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def _await_taking(self) -> None:
        left = self.transport.get_write_buffer_size()

        def check() -> None:
            if left - self.transport.get_write_buffer_size() < SLOWEST * self.seconds:
                self._cut_off()
            else:
                self._await_taking()

        self._taking = self.loop.call_later(self.seconds, check)
