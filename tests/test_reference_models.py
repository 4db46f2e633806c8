"""Models of the real architectures, laid out as on the hub, give the vectors that torch gives.

tests/models is made by tools/make_reference_models.py: random weights, references by
sentence-transformers or transformers.
"""

import json
import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedcli import Options, load
from embedcli.models.catalog import CATALOG
from embedcli.records import Vectors
from tests.conftest import embed
from tests.hub import Hub, Repo, serve

MODELS = Path(__file__).parent / "models"


def cases(name: str) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads((MODELS / name / "reference.json").read_text("utf-8"))
    return list(document["cases"])


PLAIN = [
    (folder.name, case)
    for folder in sorted(MODELS.iterdir())
    for case in cases(folder.name)
    if "pooling" not in case
]


def of(folder: Path, case: dict[str, Any], **how: Any) -> tuple[Vectors, Vectors]:  # noqa: ANN401
    """Return the vectors that come out, and those that should."""
    options = Options(prompt=case.get("prompt"), prefix=case.get("prefix"))
    with load(str(folder), **how) as embedder:
        return embedder.embed(case["texts"], options), np.array(case["vectors"], np.float32)


@pytest.mark.parametrize(("name", "case"), PLAIN)
def test_every_architecture_gives_the_vectors_of_torch(name: str, case: dict[str, Any]) -> None:
    vectors, expected = of(MODELS / name, case)
    np.testing.assert_allclose(vectors, expected, atol=2e-5)


@pytest.mark.parametrize("name", sorted(folder.name for folder in MODELS.iterdir()))
def test_a_text_alone_has_the_same_bits_in_any_company(name: str) -> None:
    company = [" ".join(words) for words in permutations(("red", "blue", "sky", "air", "a"), 4)]
    with load(str(MODELS / name)) as embedder:
        together = embedder.embed(company)
        alone = [embedder.embed([text])[0] for text in company]
    assert [row.tobytes() for row in together] == [row.tobytes() for row in alone]


VARIANTS = [case for case in cases("bert") if "pooling" in case]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: str(list(case["pooling"].values())[1:]))
def test_every_pooling_gives_the_vectors_of_sentence_transformers(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(MODELS / "bert", folder)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))[:2]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(case["pooling"]))
    vectors, expected = of(folder, case)
    np.testing.assert_allclose(vectors, expected, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "file", "least"),
    [
        ("bert", "onnx/model_fp16.onnx", 0.9999),
        ("qwen3-past", "onnx/model_fp16.onnx", 0.999),
        ("bert", "onnx/model_quantized.onnx", 0.98),
    ],
)
def test_smaller_graphs_come_close(name: str, file: str, least: float) -> None:
    for case in cases(name):
        if "pooling" not in case:
            vectors, expected = of(MODELS / name, case, onnx_file=file)
            assert (vectors * expected).sum(axis=1).min() > least


GRAPHS = sorted(MODELS.glob("*/onnx/*.onnx"))


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_vector_is_the_same_to_the_bit_in_any_company(graph: Path) -> None:
    folder = graph.parent.parent
    texts = [text * times for text in cases(folder.name)[0]["texts"] for times in (1, 2, 3)]
    texts += [f"{a} {b}" for a in "abcdefgh" for b in "ijklmnop"]
    with load(str(folder), onnx_file=f"onnx/{graph.name}", threads=2) as embedder:
        together = embedder.embed(texts)
        alone = np.stack([embedder.embed([text])[0] for text in texts])
    assert together.tobytes() == alone.tobytes()


def test_xlm_r_s_limit_is_its_positions_behind_the_pad_id() -> None:
    with load(str(MODELS / "xlmr")) as embedder:
        assert embedder.spec.max_tokens == 32
        (embedded,) = embedder.submit(["word " * 99]).result()
    assert (embedded.tokens, embedded.truncated) == (32, True)


def test_the_limit_baked_into_tokenizer_json_is_not_believed() -> None:
    baked = json.loads((MODELS / "bert" / "tokenizer.json").read_text("utf-8"))
    assert (baked["truncation"]["max_length"], baked["padding"]["strategy"]) == (8, {"Fixed": 8})
    with load(str(MODELS / "bert")) as embedder:
        tokens = [row.tokens for row in embedder.submit(["red", "red " * 99]).result()]
    assert tokens == [3, 16]


def _repo(name: str, commit: str) -> Repo:
    folder = MODELS / name
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Repo({str(path.relative_to(folder)): path.read_bytes() for path in files}, commit)


@pytest.mark.parametrize(
    ("model", "name", "needed"),
    [
        ("embeddinggemma", "gemma3", {"onnx/model.onnx_data", "special_tokens_map.json"}),
        ("qwen3-embedding", "qwen3", set()),
    ],
)
def test_a_model_by_name_has_the_prompts_that_its_repo_lacks(
    tmp_path: Path, model: str, name: str, needed: set[str]
) -> None:
    row = CATALOG[model]["latest"]
    with serve(Hub({row.repo: _repo(name, row.revision)})) as hub:
        env = {"HF_HOME": str(tmp_path), "EMBED_CACHE": str(tmp_path), "HF_ENDPOINT": hub.url}
        run = embed("text", "-m", model, "--prompt", "query", "red", env=env)
        shown = json.loads(embed("show", model, "--json", env=env).out)
    case = cases(name)[1]  # the one with the query's prompt
    np.testing.assert_allclose(json.loads(run.out)["embedding"], case["vectors"][0], atol=2e-5)
    assert run.err.startswith(f"fetching {model}: ")
    usual = {"config.json", "onnx/model.onnx", "tokenizer.json", "tokenizer_config.json"}
    assert set(hub.sent()) == usual | needed
    assert shown["facts"]["prompts"]["source"] == "the catalogue"
    assert any("8b model" in note for note in shown["notes"]) == (model == "qwen3-embedding")
