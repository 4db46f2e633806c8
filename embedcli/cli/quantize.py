"""`embed quantize`: a model made twice as fast, with a report of what that cost."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import say
from embedcli.cli.start import Choice, embedder_here

if TYPE_CHECKING:
    from embedcli.quantize.recipe import Progress
    from embedcli.quantize.texts import Texts

_CALIBRATION = 1000  # texts; twice as many were measured to give nothing more
_HELD_OUT = 1000


def quantize(
    context: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model: a float32 graph.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="A folder to be made.")
    ],
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Texts like those to come, in any format of `embed file`."
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option(metavar="NAME", help="The field of FILE with the text.")
    ] = None,
    min_cosine: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="X", help="The least mean cosine to the original."),
    ] = 0.998,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Nodes that stay in float32: '*layer.5*'."),
    ] = None,
    onnx_file: options.OnnxFile = None,
    pooling: options.Pooling = None,
    threads: options.Threads = None,
    offline: options.Offline = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a model that computes in 8 bits, and say what that cost.

    Products that cost most stay in float32, as far as --min-cosine asks for that. Needs the
    package `onnx`: pip install 'embedcli[quantize]'.

    For example:

      embed quantize all-minilm -o fast --calibrate titles.txt

      embed text -m ./fast "why is the sky blue?"
    """
    from embedcli.quantize import folder, recipe, report

    wish = recipe.Wish(min_cosine, tuple(keep or ()), threads)
    texts = _texts(calibrate, field)
    choice = Choice(model, onnx_file, pooling, threads, "cpu", offline, quiet)
    original = embedder_here(context, choice)
    with folder.whole(output) as made, _progress(quiet=quiet) as progress:
        found = recipe.quantise(original, texts, folder.graph_in(made), wish, progress)
        folder.fill(made, original.spec)
        calibrated = f"{len(texts.calibration)} texts of {texts.source}"
        asked = f"The mean cosine was to be at least {min_cosine}."
        folder.card(made, original.spec, found, calibration=calibrated, wish=asked)
    typer.echo(report.table(found))
    for name, why in found.kept:
        typer.echo(f"left as it was: {name}: {why}")
    if not quiet and found.likeness.mean < min_cosine:
        say(f"warning: the mean cosine is below {min_cosine}, though no product is in 8 bits")


def _texts(name: str | None, field: str | None) -> "Texts":
    from embedcli.quantize import texts

    if name is None:
        source, found = "the standard library's docstrings", texts.built_in()
    else:
        source, found = f"`{name}`", list(_read(name, field))
    return texts.divided(found, source=source, calibration=_CALIBRATION, held_out=_HELD_OUT)


def _read(name: str, field: str | None) -> Generator[str]:
    from embedcli.formats import inputs
    from embedcli.formats.record import Reject

    for record in inputs.read([name], inputs.Reading(field=field)):
        if isinstance(record, Reject):
            raise record.error("mend it, or take it out")
        yield record.text


@contextmanager
def _progress(*, quiet: bool) -> "Generator[Progress]":
    """Lend what shows the stages: as bars on a terminal, as a line each elsewhere."""
    if quiet:
        yield lambda _stage, _steps: _nothing
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

            def begin(stage: str, steps: int) -> Callable[[], None]:
                task = bars.add_task(stage, total=steps)
                return lambda: bars.advance(task)

            yield begin
    else:
        yield _line


def _line(stage: str, _steps: int) -> Callable[[], None]:
    say(stage)
    return _nothing


def _nothing() -> None: ...
