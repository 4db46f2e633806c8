"""`embed verify`: does this machine give the vectors that a model should give?"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import table
from embedcli.cli.start import Choice, embedder_here
from embedcli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from embedcli.drift import Drift


def verify(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="NAME", envvar="EMBED_MODEL", help="The model.")
    ] = "all-minilm",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    onnx_file: options.OnnxFile = None,
    pooling: options.Pooling = None,
    threads: options.Threads = None,
    device: options.Device = "cpu",
    offline: options.Offline = False,
    quiet: options.Quiet = False,
) -> None:
    """Show how far this machine's vectors are from a reference.

    The reference is the file golden.json in the model's folder (or GRAPH.golden.json), or values
    that other projects publish of a model of the catalogue. More drift than it allows is an error.
    """
    from embedcli.drift import measure
    from embedcli.models import golden, local

    repo = local.meant(model, onnx_file=onnx_file).repo
    if repo is not None and not golden.has_any(repo):
        raise _nothing_known(model)
    choice = Choice(model, onnx_file, pooling, threads, device, offline, quiet)
    embedder = embedder_here(context, choice)
    spec = embedder.spec
    file = spec.graph.relative_to(spec.folder).as_posix()
    goldens = golden.beside(spec.folder, spec.graph) or golden.published(repo, file)
    if not goldens:
        raise _nothing_known(model)
    drifts = measure(embedder, goldens)
    typer.echo(_document(spec.name, drifts) if as_json else _lines(drifts))
    if not all(drift.within for drift in drifts):
        raise ModelError(
            f"the vectors of `{spec.name}` are not what they should be on this machine",
            hint=f"embed rm {model}, then embed pull {model}" if repo else "embed doctor",
        )


def _nothing_known(model: str) -> UsageError:
    from embedcli.models import golden

    return UsageError(
        f"there is nothing to compare `{model}` with: nobody's vectors of this graph are known",
        hint=f"known are {', '.join(golden.names())}, and folders with a {golden.FILE}",
    )


def _document(name: str, drifts: "Sequence[Drift]") -> str:
    document = {
        "model": name,
        "within": all(drift.within for drift in drifts),
        "max_abs": max(drift.max_abs for drift in drifts),
        "min_cosine": min(drift.cosine for drift in drifts),
        "texts": [_fields(drift) for drift in drifts],
    }
    return json.dumps(document, ensure_ascii=False)


def _fields(drift: "Drift") -> dict[str, object]:
    return {
        "text": drift.golden.text,
        "prompt": drift.golden.prompt,
        "reference": drift.golden.says,
        "values": len(drift.golden.values),
        "max_abs": drift.max_abs,
        "tolerance": drift.golden.tolerance,
        "cosine": drift.cosine,
        "within": drift.within,
    }


def _lines(drifts: "Sequence[Drift]") -> str:
    heads = ["", "MAX ABS", "ALLOWED", "COSINE", "VALUES", "REFERENCE", "PROMPT", "TEXT"]
    worst = max(drifts, key=lambda drift: drift.max_abs / drift.golden.tolerance)
    rows = [
        [
            "ok" if drift.within else "DRIFTED",
            f"{drift.max_abs:.1e}",
            f"{drift.golden.tolerance:.0e}",
            f"{drift.cosine:.7f}",
            str(len(drift.golden.values)),
            drift.golden.says,
            drift.golden.prompt or "-",
            _beginning(drift.golden.text),
        ]
        for drift in drifts
    ]
    summary = (
        f"max abs {worst.max_abs:.1e} where {worst.golden.tolerance:.0e} is allowed, "
        f"min cosine {min(drift.cosine for drift in drifts):.7f}"
    )
    return f"{table(heads, rows)}\n{summary}"


def _beginning(text: str) -> str:
    """Return the beginning of a text, on one line."""
    words = " ".join(text.split())
    return f"{words[:31]}…" if len(words) > 32 else words or "(no text)"
