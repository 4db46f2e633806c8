"""What a model's folder looks like: which of its files are needed, and which graph is meant."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from embedcli.errors import ModelNotFound

_CONFIGS: Final = re.compile(
    r"(modules|config|config_sentence_transformers|sentence_[\w-]+_config"
    r"|tokenizer|tokenizer_config|special_tokens_map)\.json"
)
# What follows the transformer lies in folders such as `1_Pooling`; the transformer's own weights,
# in `0_Transformer` of old repos, are what the graph has already.
_MODULES: Final = re.compile(
    r"\d+_\w+/(sentence_[\w-]+_)?config\.json|\d+_(?!Transformer)\w+/model\.safetensors"
)
# The export's plain name first, then what optimum, Qdrant and sentence-transformers call theirs.
_GRAPHS: Final = (
    "onnx/model.onnx",
    "model.onnx",
    "onnx/model_optimized.onnx",
    "model_optimized.onnx",
    "onnx/sentence_transformers.onnx",
)


def choose_graph(names: Collection[str], wanted: str | None, *, where: str) -> str:
    """Return the graph among the files `names` of the model `where`: `wanted`, or the plain one.

    Raises:
        ModelNotFound: it is not there, or there are several and none has a usual name.
    """
    graphs = sorted(name for name in names if name.endswith(".onnx"))
    if wanted is not None and wanted in graphs:
        return wanted
    if not graphs:
        raise ModelNotFound(
            f"the model in `{where}` has no ONNX file",
            hint="look on the hub for an export of it, often of onnx-community or Xenova",
        )
    hint = f"choose with --onnx-file: it has {', '.join(graphs)}"
    if wanted is not None:
        raise ModelNotFound(f"the model in `{where}` has no file `{wanted}`", hint=hint)
    plain = plain_graph(graphs) or (graphs[0] if len(graphs) == 1 else None)
    if plain is None:
        raise ModelNotFound(f"the model in `{where}` has several ONNX files", hint=hint)
    return plain


def plain_graph(names: Collection[str]) -> str | None:
    """Return the graph with a usual name, the export's plain one first; None if there is none."""
    return next((name for name in _GRAPHS if name in names), None)


def configs(names: Collection[str], graph: str) -> list[str]:
    """Return which of the files `names` say how the text goes into `graph`, and what follows it.

    Some repos keep these files beside the graph and not in the root, or in both.
    """
    beside = graph.rpartition("/")[0]
    found = [name for name in names if _CONFIGS.fullmatch(name) or _MODULES.fullmatch(name)]
    deeper = [f"{beside}/{name}" for name in _names_beside(names, beside) if name not in found]
    return sorted(found + deeper)


def _names_beside(names: Collection[str], folder: str) -> list[str]:
    if not folder:
        return []
    inside = [name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")]
    return [name for name in inside if _CONFIGS.fullmatch(name)]


def likely_weights(names: Collection[str], graph: str) -> list[str]:
    """Return the files that hold the weights of `graph`, as far as names tell before it is read."""
    begins = (f"{graph}_data", f"{graph}.data")
    return [name for name in names if name.startswith(begins)]


def graphs_in(folder: Path) -> list[str]:
    """Return the ONNX files of a folder, in its root or one level below, relative to it."""
    found = [*folder.glob("*.onnx"), *folder.glob("*/*.onnx")]
    return sorted(path.relative_to(folder).as_posix() for path in found)
