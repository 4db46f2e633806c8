"""A head start for the model: it loads while the command line is still being read.

Reading a command line costs Typer about as long as onnxruntime needs to load a small graph, and
the latter leaves Python's lock alone. So the usual case, an embedding command on the default
model, begins to load before it is parsed. Anything else on the line, and nothing is begun.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING

import typer

from embedcli.cli.console import DYNAMIC, say

if TYPE_CHECKING:
    from embedcli.engine.embedder import Embedder

_COMMANDS = {"text", "file", "similar"}
_OTHERWISE = (
    "-m", "--model", "--onnx-file", "--pooling", "--threads", "--device", "-h", "--help",
)  # fmt: skip
_DEFAULT = "all-minilm"


def begin(arguments: Sequence[str]) -> "Future[Embedder] | None":
    """Begin to load the default model, where `arguments` can mean nothing else."""
    if not arguments or arguments[0] not in _COMMANDS or "EMBED_MODEL" in os.environ:
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


def embedder_for(
    context: typer.Context,
    model: str,
    *,
    onnx_file: str | None,
    pooling: str | None,
    threads: int | None,
    device: str,
    offline: bool,
    quiet: bool,
) -> "Embedder":
    """Return the model that a command asks for: the one begun, or another."""
    from embedcli.cli.fetching import shown
    from embedcli.load import load
    from embedcli.models import store

    begun: Future[Embedder] | None = context.obj
    if begun is not None:
        return begun.result()
    embedder = load(
        model,
        onnx_file=onnx_file,
        pooling=pooling,
        threads=threads,
        device=device,
        offline=offline,
        show=store.silently if quiet else shown,
    )
    if not quiet:
        for warning in embedder.spec.warnings:
            say(f"warning: {warning}")
        if not embedder.spec.batch_invariant:
            say(f"note: `{embedder.spec.name}`: {DYNAMIC}")
    return embedder
