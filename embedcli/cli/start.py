"""A head start for the model: its graph is loaded while the command line is still being read.

Reading a command line costs Typer 0.2 s, most of it for pydantic, and loading a graph leaves
Python's lock alone: so what looks like a command on a model inside the package begins to load that
before. That is a guess; whether the model that has been begun is the one asked for is known once
the line has been read. Only the graph is loaded beside: imports in two threads wait for each other,
and took longer together than one after the other.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from threading import Thread
from typing import TYPE_CHECKING

import typer

from embedcli.cli.console import DYNAMIC, say
from embedcli.errors import EmbedError, UsageError

if TYPE_CHECKING:
    from embedcli.embeds import Embeds
    from embedcli.engine.embedder import Embedder

_COMMANDS = {"text", "file", "similar"}
_OTHERWISE = ("--onnx-file", "--pooling", "--threads", "--device", "--server", "-h", "--help")
_DEFAULT = "all-minilm"


@dataclass(frozen=True, slots=True)
class Begun:
    """A model whose graph is being loaded."""

    model: str  # as typed
    embedder: "Embedder"


def begin(arguments: Sequence[str]) -> Begun | None:
    """Begin to load a model inside the package, if `arguments` look like asking for one."""
    if not arguments or arguments[0] not in _COMMANDS or "EMBED_SERVER" in os.environ:
        return None
    named = [value for flag, value in pairwise(arguments) if flag in ("-m", "--model")]
    model = named[-1] if named else os.environ.get("EMBED_MODEL", _DEFAULT)
    if any(argument.startswith(_OTHERWISE) for argument in arguments) or not _is_inside(model):
        return None
    from embedcli.load import load

    embedder = load(model)
    Thread(target=_load, args=(embedder,), name="embed-start", daemon=True).start()
    return Begun(model, embedder)


def _is_inside(model: str) -> bool:
    from embedcli.models.reference import parse

    with suppress(EmbedError):
        return parse(model).bundled
    return False


def _load(embedder: "Embedder") -> None:
    with suppress(EmbedError):  # the command will meet it again, and say so
        embedder.load()


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

    def is_met_by(self, begun: Begun) -> bool:
        """Whether what has been begun is what is asked for: of that nothing need be said."""
        usual = Choice(self.model, offline=self.offline, quiet=self.quiet)
        return begun.model == self.model and self == usual


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
    begun: Begun | None = context.obj
    if begun is not None and choice.is_met_by(begun):
        return begun.embedder
    from embedcli.cli.fetching import shown
    from embedcli.load import load
    from embedcli.models import store

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
