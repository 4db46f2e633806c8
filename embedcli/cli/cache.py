"""`embed cache`: what is remembered of vectors, and how to forget it."""

import json
from typing import Annotated

import typer

from embedcli.cli.console import in_bytes, say

app = typer.Typer(
    rich_markup_mode=None,
    help="Show or clear the vectors that are remembered.",
)


@app.command()
def info(
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Show how many vectors are remembered, and where."""
    from embedcli import places
    from embedcli.cache import LIMIT, Store

    store = Store(places.vectors())
    contents = store.contents()
    if as_json:
        facts = {"path": str(store.path), "vectors": contents.rows, "size": contents.size}
        typer.echo(json.dumps({**facts, "limit": LIMIT}))
        return
    typer.echo(f"{contents.rows:,} vectors, {in_bytes(contents.size)} of {in_bytes(LIMIT)}")
    typer.echo(str(store.path))


@app.command()
def clear() -> None:
    """Forget all vectors that are remembered."""
    from embedcli import places
    from embedcli.cache import Store

    store = Store(places.vectors())
    freed = store.contents().size
    store.clear()
    say(f"forgotten: {in_bytes(freed)} freed")
