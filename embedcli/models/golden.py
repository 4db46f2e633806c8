"""What vectors should be: those of a reference, beside a model or as others published them.

A model's folder may hold `golden.json`: texts with the whole vectors that its makers' own program
gives. A graph whose vectors are others, such as one in 8 bits, may have a file of its own beside
it: `model_int8.golden.json` for `model_int8.onnx`.

For models of the catalogue there are the first values that other projects keep in their tests,
taken from there: `tests/test_text_onnx_embeddings.py` of fastembed, which allows 1e-3, and
`integration/testdata/embed.json` of Ollama, scaled to unit length. Ollama runs 16-bit weights and
asks a cosine of 0.99 of itself, so more is allowed there; another pooling is off by 5e-2.
"""

import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedcli.errors import ModelError
from embedcli.models.catalog import CATALOG, Row

FILE: Final = "golden.json"


@dataclass(frozen=True, slots=True)
class Golden:
    """A text, and the beginning of the vector that somebody else's program gives for it."""

    text: str
    values: tuple[float, ...]  # the whole vector of unit length, or its first values
    says: str  # who
    tolerance: float  # by how much a value may differ
    prompt: str | None = None  # its name; None: the bare text


def beside(folder: Path, graph: Path) -> tuple[Golden, ...]:
    """Return what the file of a graph, or else of its model's folder, says; nothing without one.

    Raises:
        ModelError: it cannot be read.
    """
    own = graph.with_suffix(f".{FILE}")
    path = own if own.exists() else folder / FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        says, tolerance = document["says"], float(document["tolerance"])
        return tuple(
            Golden(entry["text"], _floats(entry["vector"]), says, tolerance)
            for entry in document["texts"]
        )
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"`{path}` cannot be read: {why}") from error


def published(repo: str | None, file: str) -> tuple[Golden, ...]:
    """Return what others published of a graph on the hub; nothing where nobody did."""
    rows = ((_row(typed), goldens) for typed, goldens in _PUBLISHED.items())
    return next((goldens for row, goldens in rows if (row.repo, row.file) == (repo, file)), ())


def has_any(repo: str) -> bool:
    """Say whether anything is published of a repo's graphs."""
    return any(repo == _row(typed).repo for typed in _PUBLISHED)


def names() -> list[str]:
    """Return the catalogue names of models that can be compared."""
    return list(_PUBLISHED)


def _row(typed: str) -> Row:
    name, _, tag = typed.partition(":")
    return CATALOG[name][tag or "latest"]


def _floats(packed: str) -> tuple[float, ...]:
    """Return float32 numbers, little-endian, from base64."""
    content = base64.b64decode(packed)
    return struct.unpack(f"<{len(content) // 4}f", content)


def _fastembed(*values: float, prompt: str | None = None) -> Golden:
    return Golden("hello world", values, "fastembed", 1e-3, prompt)


def _ollama(*values: float) -> Golden:
    return Golden("why is the sky blue?", values, "Ollama", 5e-3)


_PUBLISHED: Final[Mapping[str, tuple[Golden, ...]]] = {
    "all-minilm": (
        _fastembed(-0.034478, 0.03102, 0.00673, 0.02611, -0.039362),
        _ollama(0.010071, -0.001759, 0.050072, 0.046930, 0.054917),
    ),
    "embeddinggemma": (
        _fastembed(-0.08181356, 0.0214127, 0.05120273, -0.03690156, -0.0254504, prompt="document"),
        _fastembed(-0.22990295, 0.03311195, 0.04290345, -0.03558498, -0.01399477, prompt="query"),
        _ollama(-0.124504, -0.008483, 0.072722, 0.038084, 0.002742),
    ),
    "qwen3-embedding": (
        _fastembed(-0.01476084, 0.01723184, -0.01195498, -0.07275258, 0.00281229),
        _fastembed(-0.01908712, 0.01635596, -0.00356586, -0.03947155, -0.01387356, prompt="query"),
    ),
    "qwen3-embedding:q8": (
        _fastembed(-0.01599521, 0.01676456, -0.01195119, -0.07132675, 0.00346729),
    ),
    "nomic-embed-text": (_ollama(0.009722, 0.044505, -0.140643, 0.001325, 0.032123),),
    "mxbai-embed-large": (
        _fastembed(0.02295546, 0.03196154, 0.016512, -0.04031524, -0.0219634),
        _ollama(-0.010458, -0.002508, 0.014610, -0.019331, -0.028031),
    ),
    "bge-m3": (_ollama(-0.045828, 0.024371, -0.035649, -0.049378, -0.018522),),
    "bge-large": (_ollama(0.001384, -0.002208, 0.026647, -0.019977, -0.028392),),
    "bge-small": (_fastembed(0.01522374, -0.02271799, 0.00860278, -0.07424029, 0.00386434),),
    "snowflake-arctic-embed": (
        _fastembed(0.0189, -0.0673, 0.0183, 0.0124, 0.0146),
        _ollama(0.007593, -0.045324, -0.018707, 0.018457, 0.041604),
    ),
    "snowflake-arctic-embed:22m": (_fastembed(0.0092, 0.0619, 0.0196, 0.009, -0.0114),),
    "snowflake-arctic-embed:33m": (_fastembed(-0.0416, -0.0867, 0.0209, 0.0554, -0.0272),),
    "snowflake-arctic-embed:110m": (_fastembed(-0.0329, 0.0364, 0.0481, 0.0016, 0.0328),),
    "snowflake-arctic-embed2": (_ollama(-0.026871, 0.038698, -0.003012, -0.075190, -0.065266),),
    "granite-embedding": (_ollama(-0.050916, 0.020583, 0.076187, 0.056530, 0.033572),),
    "paraphrase-multilingual": (_ollama(-0.005941, -0.037429, -0.003155, 0.010742, -0.031030),),
    "gte-base": (_fastembed(0.0038, 0.0355, 0.0181, 0.0092, 0.0654),),
    "gte-large": (_fastembed(-0.00986551, -0.00018734, 0.00605892, -0.03289612, -0.0387564),),
}
