"""`embed verify`: vectors against those of a reference, and whose reference that is."""

import base64
import json
import shutil
import struct
from pathlib import Path

import pytest

from embedcli import Embedder
from embedcli.drift import measure
from embedcli.models import golden, reference
from embedcli.models.catalog import CATALOG
from tests.conftest import embed

TESTED = json.loads(Path(__file__).with_name("golden").joinpath("all-minilm.json").read_text())


def with_golden(colours: Path, to: Path, *, vector: tuple[float, float, float]) -> Path:
    """Return a copy of the model `colours` whose reference of "red" is `vector`."""
    folder = Path(shutil.copytree(colours, to / "model"))
    packed = base64.b64encode(struct.pack("<3f", *vector)).decode()
    texts = [{"text": "red", "vector": packed}]
    document = {"says": "arithmetic", "tolerance": 1e-6, "texts": texts}
    (folder / golden.FILE).write_text(json.dumps(document))
    return folder


def test_the_bundled_model_is_what_it_should_be() -> None:
    run = embed("verify", "--json", "--offline")
    found = json.loads(run.out)
    assert (run.code, run.err, found["within"], len(found["texts"])) == (0, "", True, 8)
    assert found["min_cosine"] > 0.99999


def test_the_reference_in_the_package_is_the_one_that_is_tested(minilm: Embedder) -> None:
    whole = {entry["text"]: entry["vector"] for entry in TESTED["texts"]}
    shipped = json.loads((minilm.spec.folder / golden.FILE).read_text())
    assert [entry["vector"] for entry in shipped["texts"]] == [
        whole[entry["text"]] for entry in shipped["texts"]
    ]


def test_what_others_published_of_the_same_weights_holds_here(minilm: Embedder) -> None:
    row = CATALOG["all-minilm"]["latest"]
    drifts = measure(minilm, golden.published(row.repo, row.file))
    assert [(drift.golden.says, drift.within) for drift in drifts] == [
        ("fastembed", True),
        ("Ollama", True),
    ]


@pytest.mark.parametrize("name", golden.names())
def test_every_published_value_belongs_to_a_graph_of_the_catalogue(name: str) -> None:
    meant = reference.parse(name, onnx_file=reference.parse(name).file or "onnx/model.onnx")
    assert meant.file is not None
    assert all(len(known.values) == 5 for known in golden.published(meant.repo, meant.file))


def test_a_folder_is_compared_with_the_reference_in_it(colours: Path, tmp_path: Path) -> None:
    length = (13**2 + 12**2 + 12**2) ** 0.5  # of <s>, red and </s> together
    folder = with_golden(colours, tmp_path, vector=(13 / length, 12 / length, 12 / length))
    run = embed("verify", str(folder), "--pooling", "mean")
    assert (run.code, run.err) == (0, "")
    assert run.out.decode().splitlines()[1].split()[:3:2] == ["ok", "1e-06"]


def test_drift_beyond_what_is_allowed_is_an_error(colours: Path, tmp_path: Path) -> None:
    folder = with_golden(colours, tmp_path, vector=(1, 0, 0))
    run = embed("verify", str(folder), "--pooling", "mean")
    assert run.code == 4
    assert run.out.decode().splitlines()[1].startswith("DRIFTED")
    assert run.err == (
        f"error: the vectors of `{folder}` are not what they should be on this machine\n"
        "hint: embed doctor\n"
    )


def test_a_damaged_reference_is_named(colours: Path, tmp_path: Path) -> None:
    folder = with_golden(colours, tmp_path, vector=(1, 0, 0))
    (folder / golden.FILE).write_text('{"says": "nobody"}')
    run = embed("verify", str(folder), "--pooling", "mean")
    assert (run.code, run.err) == (
        4,
        f"error: `{folder / golden.FILE}` cannot be read: it has no 'tolerance'\n",
    )


def test_a_model_without_a_reference_is_refused_before_it_is_fetched() -> None:
    run = embed("verify", "gte-small")
    assert run.code == 2
    assert run.err.startswith("error: there is nothing to compare `gte-small` with")
    assert "hint: known are all-minilm, embeddinggemma, " in run.err
