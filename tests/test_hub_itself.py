"""The real models from the real hub give the vectors that others published for them.

Off by default, since it fetches some 15 GB: python -m pytest -m hub
"""

import json
from pathlib import Path

import numpy as np
import pytest

from embedcli import Options, load

pytestmark = pytest.mark.hub

HELLO = "hello world"
QWEN_QUERY = -0.01908712, 0.01635596, -0.00356586, -0.03947155, -0.01387356

# The first five values of unit vectors, as fastembed's own tests have them
# (qdrant/fastembed, tests/test_text_onnx_embeddings.py), with the prompt that was used.
FASTEMBED = [
    ("all-minilm", None, (-0.034478, 0.03102, 0.00673, 0.02611, -0.039362)),
    ("embeddinggemma", "document", (-0.08181356, 0.0214127, 0.05120273, -0.03690156, -0.0254504)),
    ("embeddinggemma", "query", (-0.22990295, 0.03311195, 0.04290345, -0.03558498, -0.01399477)),
    ("qwen3-embedding", None, (-0.01476084, 0.01723184, -0.01195498, -0.07275258, 0.00281229)),
    ("qwen3-embedding", "query", QWEN_QUERY),
    ("qwen3-embedding:q8", None, (-0.01599521, 0.01676456, -0.01195119, -0.07132675, 0.00346729)),
    ("bge-small", None, (0.01522374, -0.02271799, 0.00860278, -0.07424029, 0.00386434)),
    ("mxbai-embed-large", None, (0.02295546, 0.03196154, 0.016512, -0.04031524, -0.0219634)),
    ("snowflake-arctic-embed:22m", None, (0.0092, 0.0619, 0.0196, 0.009, -0.0114)),
    ("snowflake-arctic-embed:33m", None, (-0.0416, -0.0867, 0.0209, 0.0554, -0.0272)),
    ("snowflake-arctic-embed:110m", None, (-0.0329, 0.0364, 0.0481, 0.0016, 0.0328)),
    ("snowflake-arctic-embed", None, (0.0189, -0.0673, 0.0183, 0.0124, 0.0146)),
    ("gte-base", None, (0.0038, 0.0355, 0.0181, 0.0092, 0.0654)),
    ("gte-large", None, (-0.00986551, -0.00018734, 0.00605892, -0.03289612, -0.0387564)),
]

# Whole vectors of "why is the sky blue?" from Ollama's tests, where they lie beside the project.
OLLAMA = Path(__file__).parents[2] / "shared/cases/ollama_cases.json"
LIBRARY = [
    "all-minilm",
    "nomic-embed-text",
    "bge-large",
    "bge-m3",
    "granite-embedding",
    "mxbai-embed-large",
    "paraphrase-multilingual",
    "snowflake-arctic-embed",
    "snowflake-arctic-embed2",
    "embeddinggemma",
]


@pytest.mark.parametrize(("model", "prompt", "begins"), FASTEMBED)
def test_fastembed_has_the_same_vectors(
    model: str, prompt: str | None, begins: tuple[float, ...]
) -> None:
    with load(model) as embedder:
        (vector,) = embedder.embed([HELLO], Options(prompt=prompt))
    np.testing.assert_allclose(vector[:5], begins, atol=1e-3)


@pytest.mark.skipif(not OLLAMA.exists(), reason="Ollama's vectors are not here")
@pytest.mark.parametrize("model", LIBRARY)
def test_ollama_has_nearly_the_same_vectors(model: str) -> None:
    expected = np.array(json.loads(OLLAMA.read_text("utf-8"))["vectors"][f"library/{model}"])
    with load(model) as embedder:
        (vector,) = embedder.embed(["why is the sky blue?"])
    assert vector @ expected / np.linalg.norm(expected) >= 0.99
