"""`embed pull`: a model from the hub, before it is needed."""

import re
from typing import Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import say
from embedcli.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}")


def pull(
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model.")],
    onnx_file: options.OnnxFile = None,
    quiet: options.Quiet = False,
) -> None:
    """Fetch a model from the hub, or bring it up to date.

    What was broken off is continued, and only what the model needs is fetched.

    For example:

      embed pull embeddinggemma

      embed pull org/name@revision
    """
    from embedcli.cli.fetching import shown
    from embedcli.models import local, store
    from embedcli.models.reference import parse

    reference = parse(model, onnx_file=onnx_file)
    if reference.folder is not None:
        raise UsageError(f"`{model}` is a folder: only models of the hub can be fetched")
    pinned = reference.bundled or _COMMIT.fullmatch(reference.revision)
    if not (pinned and local.find(reference)):
        store.fetch(store.plan(reference), store.silently if quiet else shown)
    if not quiet:
        say(f"{reference.name} is on this machine")
