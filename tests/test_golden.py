"""all-minilm gives the vectors of sentence-transformers in float32, and those of Ollama."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from embedcli import load
from embedcli.records import Embedded, Vector

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("all-minilm.json").read_text())
TEXTS = {entry["name"]: entry for entry in GOLDEN["texts"]}
OLLAMA = Path(__file__).parents[2] / "shared/cases/ollama_cases.json"
by_name = pytest.mark.parametrize("name", TEXTS)


@pytest.fixture(scope="module")
def embedded() -> Mapping[str, Embedded]:
    with load("all-minilm") as embedder:
        ours = embedder.stream([entry["text"] for entry in TEXTS.values()])
        return dict(zip(TEXTS, ours, strict=True))


@by_name
def test_the_model_sees_the_tokens_of_the_reference(
    name: str, embedded: Mapping[str, Embedded]
) -> None:
    ours, reference = embedded[name], TEXTS[name]
    assert (ours.tokens, ours.truncated) == (reference["tokens"], reference["truncated"])


@by_name
def test_a_vector_is_the_one_of_the_reference(name: str, embedded: Mapping[str, Embedded]) -> None:
    reference = np.frombuffer(base64.b64decode(TEXTS[name]["vector"]), "<f4")
    assert cosine(embedded[name].vector, reference) >= 0.99999
    # Weights rounded to float16 move a number by up to 2.4e-4 here; unrounded ones, by 2e-7.
    np.testing.assert_allclose(embedded[name].vector, reference, rtol=0, atol=3e-4)


@pytest.mark.skipif(not OLLAMA.exists(), reason="Ollama's vectors are not beside this checkout")
@pytest.mark.parametrize(
    ("key", "text"), [("sky", "why is the sky blue?"), ("grass", "why is the grass green?")]
)
def test_a_vector_is_the_one_that_ollama_stored(key: str, text: str) -> None:
    stored = json.loads(OLLAMA.read_text())["vectors"][f"all-minilm/{key}/unit"]
    with load("all-minilm") as embedder:
        [ours] = embedder.embed([text])
    assert cosine(ours, stored) >= 0.9999


def cosine(ours: Vector, reference: ArrayLike) -> float:
    a, b = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
