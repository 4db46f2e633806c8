"""`embed quantize`, on small real graphs, and the 8-bit model inside the package."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embedcli import load
from embedcli.engine.embedder import Embedder
from embedcli.errors import ModelError, UsageError
from embedcli.quantize.folder import whole
from embedcli.quantize.graph import Graph
from embedcli.quantize.recipe import Wish, quantise
from embedcli.quantize.report import Report
from embedcli.quantize.rounding import rounded, saturates
from embedcli.quantize.sites import survey
from embedcli.quantize.tables import tables
from embedcli.quantize.texts import Texts, divided
from tests import networks
from tests.conftest import embed

ALL = Wish(threads=1)


def made_up() -> Texts:
    return divided(networks.texts(200), source="a test", calibration=100, held_out=50)


def silent(stage: str, steps: int) -> Callable[[], None]:
    assert stage
    assert steps
    return lambda: None


def quantised(folder: Path, wish: Wish = ALL) -> tuple[Embedder, Report]:
    """Quantise the model in `folder` into the graph `int8.onnx` beside its own."""
    with load(str(folder), threads=1) as original:
        path = original.spec.graph.with_name("int8.onnx")
        report = quantise(original, made_up(), path, wish, silent)
    return load(str(folder), onnx_file="onnx/int8.onnx", threads=1), report


@pytest.mark.parametrize(("layer", "products"), [("bert", 6), ("flat", 6), ("decoder", 7)])
def test_each_kind_of_graph_keeps_its_vectors(layer: str, products: int, tmp_path: Path) -> None:
    model, report = quantised(networks.write(tmp_path, layer))
    assert (report.in_eight_bits, report.kept) == (products, ())
    assert report.likeness.mean > 0.999
    assert report.likeness.worst > 0.95
    assert report.size < report.original_size
    texts = networks.texts(20)
    alone = [model.embed([text])[0].tobytes() for text in texts]
    assert [row.tobytes() for row in model.embed(texts)] == alone


def test_query_key_and_value_share_their_input(tmp_path: Path) -> None:
    found = survey(Graph.read(networks.write(tmp_path, "bert") / "onnx" / "model.onnx"))
    assert [len(group.sites) for group in found.groups] == [3, 1, 1, 1]
    assert all(site.bias for group in found.groups for site in group.sites)


def test_weights_beside_the_graph_give_the_same_model(tmp_path: Path) -> None:
    inside, _ = quantised(networks.write(tmp_path / "inside", "bert"))
    outside, _ = quantised(networks.write(tmp_path / "outside", "bert", weights="weights.bin"))
    assert (tmp_path / "outside" / "onnx" / "int8.onnx_data").stat().st_size > 30_000
    assert (tmp_path / "outside" / "onnx" / "int8.onnx").stat().st_size < 20_000
    texts = networks.texts(10)
    assert inside.embed(texts).tobytes() == outside.embed(texts).tobytes()


@pytest.mark.parametrize("name", ["trial.onnx_data", "probe.onnx", "weights.bin"])
def test_the_weights_of_the_original_are_left_alone(name: str, tmp_path: Path) -> None:
    folder = networks.write(tmp_path, "bert", weights=name) / "onnx"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    _, report = quantised(tmp_path)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert report.original_size == sum(map(len, before.values()))


def test_a_matrix_that_a_node_gives_is_found_like_any_other(tmp_path: Path) -> None:
    graph = networks.write(tmp_path, "bert", weights="weights.bin") / "onnx" / "model.onnx"
    model = onnx.load(graph, load_external_data=False)
    given, kept = list(model.graph.initializer), []
    model.graph.ClearField("initializer")
    for tensor in given:
        node = onnx.helper.make_node("Constant", [], [tensor.name], value=tensor)
        kept.append(node)
    kept += model.graph.node
    model.graph.ClearField("node")
    model.graph.node.extend(kept)
    onnx.save(model, graph)
    model_in_8_bits, report = quantised(tmp_path)
    assert (report.in_eight_bits, report.kept) == (6, ())
    assert np.isfinite(model_in_8_bits.embed(networks.texts(3))).all()


def test_named_products_stay_as_they_are(tmp_path: Path) -> None:
    folder = networks.write(tmp_path, "bert")
    last = survey(Graph.read(folder / "onnx" / "model.onnx")).groups[-1].sites[0].name
    _, report = quantised(folder, Wish(keep=(last,), threads=1))
    assert (report.in_eight_bits, report.kept) == (5, ((last, "--keep"),))


def test_what_costs_most_stays_as_it_is(tmp_path: Path) -> None:
    folder = networks.write(tmp_path, "bert")
    _, everything = quantised(folder)
    least = 1 - (1 - everything.likeness.mean) / 2
    _, chosen = quantised(folder, Wish(min_cosine=least, threads=1))
    assert chosen.likeness.mean >= least
    assert 0 < chosen.in_eight_bits < 6
    assert {why for _, why in chosen.kept} == {"it would cost too much"}


def test_a_cosine_of_one_leaves_the_vectors_as_they_are(tmp_path: Path) -> None:
    folder = networks.write(tmp_path, "decoder")
    model, report = quantised(folder, Wish(min_cosine=1, threads=1))
    assert report.in_eight_bits == 0
    texts = networks.texts(5)
    assert model.embed(texts).tobytes() == load(str(folder)).embed(texts).tobytes()


def test_a_large_table_is_stored_in_8_bits(tmp_path: Path) -> None:
    to = networks.Writer()
    rows = to.random.normal(size=(16_000, networks.HIDDEN)).astype(np.float16)
    table = to.add("Cast", to.add("Gather", to.constant(rows), "input_ids"), to=1)
    to.save(table, tmp_path / "model.onnx")
    graph = Graph.read(tmp_path / "model.onnx")
    (found,) = tables(graph)
    stored, scales = found.rounded(graph)
    assert (stored.itemsize, scales.shape) == (1, (16_000, 1))
    assert np.abs(stored * scales - rows).max() <= scales.max() / 2 + 1e-6


def test_a_graph_that_is_quantised_already_is_refused(tmp_path: Path) -> None:
    quantised(networks.write(tmp_path, "bert"))
    with pytest.raises(ModelError, match="quantised already: it has MatMulIntegerToFloat"):
        Graph.read(tmp_path / "onnx" / "int8.onnx")


def test_without_the_package_onnx_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match="needs the package `onnx`") as caught:
        Graph.read(tmp_path)
    assert caught.value.hint == "pip install 'embedcli[quantize]'"


@given(
    arrays(
        np.float32, st.tuples(st.integers(1, 9), st.just(3)), elements=st.floats(-9, 9, width=32)
    ),
    st.integers(0, 99),
)
def test_no_two_neighbours_overflow_sixteen_bits(
    weights: np.ndarray[tuple[int, int], np.dtype[np.float32]], seed: int
) -> None:
    inputs = np.random.default_rng(seed).normal(size=(40, len(weights)))
    found, scales = rounded(weights, inputs.T @ inputs)
    assert not saturates(found)
    assert np.isfinite(scales).all()
    products = np.pad(found.astype(np.int64) * 255, ((0, len(found) % 2), (0, 0)))
    upper, lower = products.clip(min=0), products.clip(max=0)
    assert (upper[::2] + upper[1::2]).max() < 2**15
    assert (lower[::2] + lower[1::2]).min() >= -(2**15)


def test_rounding_in_turn_beats_rounding_to_the_nearest() -> None:
    random = np.random.default_rng(2)
    inputs = random.normal(size=(400, 8)) @ random.normal(size=(8, 64))  # alike, as channels are
    weights = random.normal(size=(64, 16)).astype(np.float32)
    found, scales = rounded(weights, inputs.T @ inputs / 400)
    nearest = np.rint(weights / scales) * scales
    in_turn, plain = (
        np.square(inputs @ (rough - weights)).sum() for rough in (found * scales, nearest)
    )
    assert in_turn < plain / 4


def test_the_command_writes_a_folder_that_runs(tmp_path: Path) -> None:
    folder = networks.write(tmp_path / "model", "bert")
    (tmp_path / "texts").write_text("\n".join(networks.texts(120)))
    made = tmp_path / "made"
    run = embed("quantize", f"{folder}/", "-o", made, "--calibrate", tmp_path / "texts")
    assert (run.code, run.err) == (0, "calibrating\nrounding\nchoosing\n")
    assert b"| products in 8 bits | 6 |" in run.out
    card = (made / "README.md").read_text()
    assert re.search(r"Calibrated on \d+ texts of `.*/texts`", card)
    assert "| cosine, worst |" in card
    shown = embed("text", "-m", f"{made}/", "w1 w2")
    assert (shown.code, shown.err) == (0, "")


def test_a_folder_named_by_a_dot_is_made_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    with whole(Path()) as folder:
        (folder / "file").touch()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["file"]


def test_configs_beside_a_graph_come_beside_the_new_one(tmp_path: Path) -> None:
    folder = networks.write(tmp_path / "model", "bert")
    (folder / "onnx").rename(folder / "fp32")
    (folder / "tokenizer.json").rename(folder / "fp32" / "tokenizer.json")
    (tmp_path / "texts").write_text("\n".join(networks.texts(60)))
    made = tmp_path / "made"
    run = embed("quantize", f"{folder}/", "-o", made, "--calibrate", tmp_path / "texts", "-q")
    assert (run.code, run.err) == (0, "")
    assert embed("text", "-m", f"{made}/", "w1 w2").code == 0


def test_what_no_file_of_the_model_says_is_written_down(tmp_path: Path) -> None:
    folder = networks.write(tmp_path / "model", "bert")
    (folder / "1_Pooling" / "config.json").unlink()
    (tmp_path / "texts").write_text("\n".join(networks.texts(60)))
    made = tmp_path / "made"
    arguments = ["--pooling", "last", "--calibrate", str(tmp_path / "texts"), "-q"]
    assert embed("quantize", f"{folder}/", "-o", made, *arguments).err == ""
    spec = load(str(made)).spec
    assert (spec.pooling, spec.sources["pooling"]) == (("last",), "1_Pooling/config.json")
    assert spec.max_tokens == load(str(folder)).spec.max_tokens


@pytest.mark.parametrize(
    ("texts", "output", "code", "error"),
    [
        (3, "new", 3, "error: 3 different texts are too few to calibrate on: the least is 20\n"),
        (60, "texts", 6, "error: `{}/texts` is there already\n"),
        (60, "model/onnx", 6, "error: `{}/model/onnx` is there already\n"),
    ],
)
def test_a_mistake_leaves_nothing_behind(
    texts: int, output: str, code: int, error: str, tmp_path: Path
) -> None:
    model = networks.write(tmp_path / "model", "bert")
    (tmp_path / "texts").write_text("\n".join(networks.texts(texts)))
    before = sorted(tmp_path.rglob("*"))
    texts_file = tmp_path / "texts"
    arguments = ("-o", tmp_path / output, "--calibrate", texts_file)
    run = embed("quantize", f"{model}/", *arguments)
    assert (run.code, run.out) == (code, b"")
    assert run.err.startswith(error.format(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before
