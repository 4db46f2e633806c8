"""`embed show`: every fact of a model, and who says it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from embedcli.cli import options
from embedcli.cli.console import DYNAMIC, table
from embedcli.errors import ModelNotFound

if TYPE_CHECKING:
    from embedcli.models.spec import ModelSpec


def show(
    model: Annotated[str, typer.Argument(metavar="NAME", help="The model.")],
    onnx_file: options.OnnxFile = None,
    pooling: options.Pooling = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show every fact of a model, and which file says it."""
    from embedcli.load import pooling_named
    from embedcli.models import hashes, local

    found = local.find(local.meant(model, onnx_file=onnx_file), guess=True)
    if found is None:
        raise ModelNotFound(
            f"model '{model}' not found: it is not on this machine", hint=f"embed pull {model}"
        )
    spec = local.spec(found, pooling=pooling_named(pooling))
    notes = _notes(spec)
    facts = _facts(spec)
    digests = hashes.of_model(spec)
    if as_json:
        told = {name: {"value": value, "source": who} for name, (value, who) in facts.items()}
        document = {"name": spec.name, "facts": told, "sha256": digests, "notes": notes}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    rows = [[name, who, _words(value)] for name, (value, who) in facts.items()]
    typer.echo(table(["FACT", "WHO SAYS IT", spec.name], rows) + "\n")
    typer.echo(table(["FILE", "SHA-256"], [[name, digest] for name, digest in digests.items()]))
    for note in notes:
        typer.echo(f"\nnote: {note}")


def _notes(spec: "ModelSpec") -> list[str]:
    dynamic = [] if spec.batch_invariant else [DYNAMIC]
    return [note for note in (spec.note, *dynamic, *spec.warnings) if note]


def _facts(spec: "ModelSpec") -> dict[str, tuple[object, str]]:
    """Return every fact as JSON can hold it, with its source."""
    hub = "the hub" if spec.revision else "the disk"
    plain: dict[str, object] = {
        "dimensions": spec.dimensions,
        "max_tokens": spec.max_tokens,
        "output": spec.output,
        "pooling": [pooling.value for pooling in spec.pooling],
        "include_prompt": spec.include_prompt,
        "dense": [
            {"inputs": layer.inputs, "outputs": layer.outputs, "activation": layer.activation.value}
            for layer in spec.dense
        ],
        "normalize": spec.normalize,
        "prompts": dict(spec.prompts),
        "default_prompt": spec.default_prompt,
        "eos": spec.eos,
        "lowercase": spec.lowercase,
        "scalars": dict(spec.scalars),
        "batch_invariant": spec.batch_invariant,
    }
    told = {name: (value, spec.sources[name]) for name, value in plain.items()}
    lies: dict[str, tuple[object, str]] = {
        "folder": (str(spec.folder), hub),
        "graph": (str(spec.graph.relative_to(spec.folder)), hub),
        "revision": (spec.revision, hub),
        "bytes": (spec.size, hub),
    }
    return {**lies, **told}


def _words(value: object) -> str:
    if value in (None, [], {}):
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
