"""The table of commands. Rich is kept out of help: it is plain, and half as slow."""

from typing import Annotated

import typer

from embedcli import __version__
from embedcli.cli import cache
from embedcli.cli.doctor import doctor
from embedcli.cli.file import file
from embedcli.cli.list import list_models
from embedcli.cli.pull import pull
from embedcli.cli.quantize import quantize
from embedcli.cli.rm import rm
from embedcli.cli.serve import serve
from embedcli.cli.show import show
from embedcli.cli.similar import similar
from embedcli.cli.text import text
from embedcli.cli.verify import verify

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def program(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Turn text into vectors on your own machine."""
    if version:
        typer.echo(f"embed {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


app.command()(text)
app.command()(file)
app.command()(similar)
app.command()(pull)
app.command("list")(list_models)
app.command()(show)
app.command()(rm)
app.command()(doctor)
app.command()(verify)
app.command()(quantize)
app.add_typer(cache.app, name="cache")
app.command()(serve)
