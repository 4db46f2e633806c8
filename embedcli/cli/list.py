"""`embed list`: the models on this machine, and those that can be fetched by name."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli.console import in_bytes, table

if TYPE_CHECKING:
    from embedcli.models.installed import Kept


def list_models(
    every: Annotated[
        bool, typer.Option("--all", help="The names that can be fetched, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a model.")] = False,
) -> None:
    """List the models on this machine."""
    from embedcli.models import installed

    found = list(installed.listed())
    if as_json:
        for model in found:
            typer.echo(json.dumps(_fields(model), ensure_ascii=False))
        return
    rows = [_row(model) for model in found]
    if every:
        rows += _others({row[0] for row in rows})
    typer.echo(table(["NAME", "SIZE", "DIMENSIONS", "LAST USED", "WHERE"], rows))


def _fields(model: "Kept") -> dict[str, object]:
    return {
        "name": model.name,
        "graph": model.file,
        "size": model.size,
        "dimensions": model.dimensions,
        "revision": model.revision,
        "where": str(model.where),
        "last_used": _time(model.last_used, "%Y-%m-%dT%H:%M:%S%z"),
    }


def _row(model: "Kept") -> list[str]:
    last = _time(model.last_used, "%Y-%m-%d %H:%M") or "-"
    dimensions = "damaged" if model.dimensions is None else str(model.dimensions)
    return [model.name, in_bytes(model.size), dimensions, last, str(model.where)]


def _time(seconds: float | None, form: str) -> str | None:
    return None if seconds is None else time.strftime(form, time.localtime(seconds))


def _others(here: set[str]) -> list[list[str]]:
    """Return a row for each graph of the catalogue that is not here, by its shortest name."""
    from embedcli.models.catalog import CATALOG, Row

    names: dict[Row, str] = {}
    for name, rows in CATALOG.items():
        for tag, row in rows.items():
            names.setdefault(row, name if tag == "latest" else f"{name}:{tag}")
    return [[name, "-", "-", "-", row.repo] for row, name in names.items() if name not in here]
