"""`embed serve`: an HTTP server that speaks Ollama's `/api/embed` and OpenAI's `/v1/embeddings`."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import say
from embedcli.errors import InputError, ModelError, UsageError

if TYPE_CHECKING:
    import socket

    from embedcli.server.address import Address
    from embedcli.server.names import Name


_MOST_MODELS = 3  # as Ollama keeps where it runs on the CPU


class LogFormat(StrEnum):
    """How requests are logged."""

    TEXT = "text"
    JSON = "json"


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            envvar="EMBED_HOST",
            help="Listen here; 127.0.0.1 by default, or $OLLAMA_HOST.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            envvar="EMBED_PORT",
            help="11434 by default; 0: any free one.",
        ),
    ] = None,
    uds: Annotated[
        Path | None,
        typer.Option(
            "--uds",
            metavar="PATH",
            envvar="EMBED_UDS",
            help="Listen on a unix socket, for this user only, and on no port.",
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="NAME",
            help="Load this model at the start, until when /ready says 503; may be repeated.",
        ),
    ] = None,
    keep_alive: Annotated[
        str | None,
        typer.Option(
            "--keep-alive",
            metavar="DURATION",
            envvar="EMBED_KEEP_ALIVE",
            help="How long an idle model stays loaded: 90 (seconds), -1 for ever; "
            "5m by default, or $OLLAMA_KEEP_ALIVE.",
        ),
    ] = None,
    max_loaded_models: Annotated[
        int | None,
        typer.Option(
            "--max-loaded-models",
            metavar="N",
            min=0,
            envvar="EMBED_MAX_LOADED_MODELS",
            help="Beyond, the longest idle one is unloaded; "
            "3 by default (or for 0), or $OLLAMA_MAX_LOADED_MODELS.",
        ),
    ] = None,
    max_queue: Annotated[
        int,
        typer.Option(
            "--max-queue",
            metavar="TOKENS",
            min=1,
            envvar="EMBED_MAX_QUEUE",
            help="Tokens that may wait for a model; beyond, requests get 503.",
        ),
    ] = 2_000_000,
    max_body: Annotated[
        int,
        typer.Option(
            "--max-body",
            metavar="BYTES",
            min=1,
            envvar="EMBED_MAX_BODY",
            help="The largest request.",
        ),
    ] = 32 * 2**20,
    max_texts: Annotated[
        int,
        typer.Option(
            "--max-texts", metavar="N", min=1, envvar="EMBED_MAX_TEXTS", help="Texts in a request."
        ),
    ] = 50_000,
    max_characters: Annotated[
        int,
        typer.Option(
            "--max-characters",
            metavar="N",
            min=1,
            envvar="EMBED_MAX_CHARACTERS",
            help="Characters in a text.",
        ),
    ] = 1_000_000,
    origins: Annotated[
        str | None,
        typer.Option(
            "--origins",
            metavar="LIST",
            envvar="EMBED_ORIGINS",
            help="Web origins allowed beside local ones, by comma, or $OLLAMA_ORIGINS; "
            "`*` in them is anything.",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            envvar="EMBED_API_KEY",
            help="Ask for this bearer token. Other users see it in the process list: "
            "better in $EMBED_API_KEY or a file.",
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", metavar="FILE", help="Read the key from FILE."),
    ] = None,
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes",
            help="Let clients pull and delete models; on a loopback address they may anyway.",
        ),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=0,
            envvar="EMBED_TIMEOUT",
            help="The longest that a request may take; 0: no end.",
        ),
    ] = 600.0,
    client_timeout: Annotated[
        float,
        typer.Option(
            "--client-timeout",
            metavar="SECONDS",
            min=0.1,
            envvar="EMBED_CLIENT_TIMEOUT",
            help="How long a client may stall before it is cut off.",
        ),
    ] = 30.0,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="How requests are logged, on stderr.")
    ] = LogFormat.TEXT,
    threads: options.Threads = None,
    device: options.Device = "cpu",
    quiet: options.Quiet = False,
) -> None:
    """Serve embeddings over HTTP, to any client of Ollama or OpenAI.

    SIGTERM and Ctrl-C finish what is under way and end with exit code 0.

    For example:

      embed serve

      embed serve --host 0.0.0.0 --api-key-file key.txt --log-format json
    """
    from embedcli.server import address, environment, local, run
    from embedcli.server.app import Settings, create_app
    from embedcli.server.guard import Access, Limits

    if uds is not None:
        _check_no_address(context)
    where = _address(host, port)
    loopback = uds is not None or address.is_loopback(where.host)
    listed = environment.origins() if origins is None else origins
    most = environment.most_models() if max_loaded_models is None else max_loaded_models
    access = Access(
        loopback=loopback and uds is None,
        origins=[origin.strip() for origin in listed.split(",") if origin.strip()],
        key=_key(api_key, api_key_file),
    )
    settings = Settings(
        access=access,
        limits=Limits(max_body, max_texts, max_characters, client_timeout),
        keep_alive=_keep_alive(keep_alive),
        most_models=most or _MOST_MODELS,
        most_tokens=max_queue,
        timeout=timeout or None,
        preload=_preload(models or ()),
        may_change=loopback or allow_changes,
    )
    store = local.model_store(threads=threads, device=device)
    listener = run.unix_socket(uds) if uds else run.tcp_socket(where.host, where.port)
    _set_up_log(log_format, quiet=quiet)
    _warn_of_the_cache()
    if not loopback and access.key is None:
        _warn(where.host)
    run.serve(
        create_app(store, settings),
        listener,
        started=lambda: None if quiet else say(f"listening on {_shown(listener, uds)}"),
        patience=client_timeout,
        drain=timeout or None,
    )


def _check_no_address(context: typer.Context) -> None:
    """Let the options of a unix socket pass; what the environment says of a port is overruled.

    Raises:
        UsageError: an address was typed beside it.
    """
    for name in ("host", "port"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"--uds and --{name} are two places to listen", hint="leave out one of them"
            )


def _address(host: str | None, port: int | None) -> "Address":
    """Return where to listen: what an option says wins over `$OLLAMA_HOST`."""
    from embedcli.server import address, environment

    given = environment.host() if host is None else address.parse(host)
    return address.Address(given.host, given.port if port is None else port)


def _keep_alive(text: str | None) -> float:
    """Return seconds: what an option says wins over `$OLLAMA_KEEP_ALIVE`.

    Raises:
        UsageError: the option's value is no duration.
    """
    from embedcli.server import duration, environment

    if text is None:
        return environment.keep_alive()
    try:
        return duration.from_option(text)
    except InputError as error:
        raise UsageError(
            f"`--keep-alive {text}` is no duration: {error}", hint="write 5m, 90s, 0 or -1"
        ) from error


def _key(given: str | None, file: Path | None) -> str | None:
    """Return the key.

    Raises:
        UsageError: there are two, an empty one, or one that no header can carry.
        InputError: the file cannot be read.
    """
    from embedcli import keys

    if file is None:
        key = given
    elif given is not None:
        raise UsageError("there are two keys: one in --api-key-file, one beside it")
    else:
        try:
            key = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the key in `{file}`: {error}") from error
    if key is not None and not key.strip():
        raise UsageError("the key is empty: anyone could guess it", hint="leave out --api-key")
    return None if key is None else keys.read(key)


def _preload(models: Sequence[str]) -> list["Name"]:
    from embedcli.server import names

    parsed = [(text, names.parse(text)) for text in models]
    for text, name in parsed:
        if name is None:
            raise UsageError(
                f"`--model {text}`: a server's model is a name, never a path or a revision"
            )
    return [name for _, name in parsed if name is not None]


def _set_up_log(form: LogFormat, *, quiet: bool) -> None:
    import logging

    from embedcli.server import metrics

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(metrics.JsonLines() if form is LogFormat.JSON else metrics.TextLines())
    metrics.log.addHandler(handler)
    metrics.log.setLevel(logging.WARNING if quiet else logging.INFO)


def _warn_of_the_cache() -> None:
    from embedcli import places

    try:
        places.hub()
    except ModelError as error:
        say(f"warning: {error}\nhint: {error.hint}")


def _warn(host: str) -> None:
    say(
        f"warning: anyone who can reach {host} can use this server: it has no key\n"
        "hint: set --api-key-file or $EMBED_API_KEY, or leave out --host to serve this machine only"
    )


def _shown(listener: "socket.socket", uds: Path | None) -> str:
    """Return what a client would be given as the address."""
    if uds is not None:
        return f"unix:{uds}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
