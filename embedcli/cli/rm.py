"""`embed rm`: a model leaves this machine."""

import sys
from typing import Annotated

import typer

from embedcli.cli.console import in_bytes, say
from embedcli.errors import UsageError


def rm(
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model.")],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a model from this machine.

    All revisions and graphs of its repo go with it.
    """
    from embedcli.models import installed
    from embedcli.models.reference import parse

    reference = parse(model)
    if reference.repo is None:
        what = "a folder of your own" if reference.folder else "a part of the program"
        raise UsageError(f"`{model}` is {what}: only models of the hub can be removed")
    folder, size = installed.present(reference), in_bytes(installed.takes(reference))
    if not yes:
        _ask(f"remove {reference.repo}, {size}, from {folder.parent}?")
    installed.remove(reference)
    say(f"removed {reference.repo}: {size} are free")


def _ask(question: str) -> None:
    """Ask on a terminal, and end the program unless the answer is yes."""
    if not sys.stdin.isatty():
        raise UsageError(
            "removing a model wants an answer, and there is no terminal", hint="add -y"
        )
    say(f"{question} [y/N]")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Exit(1)
