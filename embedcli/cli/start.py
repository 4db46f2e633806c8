"""A head start for the model: it loads while the command line is still being read.

Reading a command line costs Typer about as long as onnxruntime needs to load a small graph, and
the latter leaves Python's lock alone. So what looks like the usual case, an embedding command on
the default model, begins to load before it is parsed. That is a guess: whether the model that has
been begun is the one asked for is known once the line has been read.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING

import typer

from embedcli.cli.console import DYNAMIC, say
from embedcli.errors import UsageError

if TYPE_CHECKING:
    from embedcli.embeds import Embeds
    from embedcli.engine.embedder import Embedder

_COMMANDS = {"text", "file", "similar"}
_OTHERWISE = (
    "-m", "--model", "--onnx-file", "--pooling", "--threads", "--device", "--server",
    "-h", "--help",
)  # fmt: skip
_VARIABLES = {"EMBED_MODEL", "EMBED_SERVER"}
_DEFAULT = "all-minilm"


def begin(arguments: Sequence[str]) -> "Future[Embedder] | None":
    """Begin to load the default model, where nothing in `arguments` looks like another."""
    if not arguments or arguments[0] not in _COMMANDS or _VARIABLES & os.environ.keys():
        return None
    if any(argument.startswith(_OTHERWISE) for argument in arguments):
        return None
    begun: Future[Embedder] = Future()
    Thread(target=_load, args=(begun,), name="embed-start", daemon=True).start()
    return begun


def _load(begun: "Future[Embedder]") -> None:
    from embedcli.load import load

    try:
        embedder = load(_DEFAULT)
        embedder.load()
    except BaseException as error:  # raised again where the command asks for the model
        begun.set_exception(error)
    else:
        begun.set_result(embedder)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model a command asks for, and how it is to run."""

    model: str = _DEFAULT
    onnx_file: str | None = None
    pooling: str | None = None
    threads: int | None = None
    device: str = "cpu"
    offline: bool = False
    quiet: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether it is what `begin` loads; it is here, and nothing need be said of it."""
        return self == Choice(offline=self.offline, quiet=self.quiet)


def embedder_for(context: typer.Context, choice: Choice, *, server: str | None) -> "Embeds":
    """Return the model that a command asks for: on this machine, or on a server."""
    if server is None:
        return embedder_here(context, choice)
    if choice != Choice(choice.model, quiet=choice.quiet):
        raise UsageError(
            "--onnx-file, --pooling, --threads, --device and --offline have no say with --server"
        )
    from embedcli.remote import Remote

    return Remote(server, choice.model, key=os.environ.get("EMBED_API_KEY"))


def embedder_here(context: typer.Context, choice: Choice) -> "Embedder":
    """Return the model that a command asks for, on this machine: the one begun, or another."""
    from embedcli.cli.fetching import shown
    from embedcli.load import load
    from embedcli.models import store

    begun: Future[Embedder] | None = context.obj
    if begun is not None and choice.is_usual:
        return begun.result()
    embedder = load(
        choice.model,
        onnx_file=choice.onnx_file,
        pooling=choice.pooling,
        threads=choice.threads,
        device=choice.device,
        offline=choice.offline,
        show=store.silently if choice.quiet else shown,
    )
    if not choice.quiet:
        for warning in embedder.spec.warnings:
            say(f"warning: {warning}")
        if not embedder.spec.batch_invariant:
            say(f"note: `{embedder.spec.name}`: {DYNAMIC}")
    return embedder
