"""`all-minilm:int8`, inside the package: near the float32 model, and as faithful to itself."""

import base64
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from benchmarks.corpus import paragraphs
from embedcli import Embedder, load
from embedcli.quantize import texts
from embedcli.quantize.report import likeness
from embedcli.quantize.rounding import saturates
from tests.conftest import embed

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("all-minilm.json").read_text())
# What nobody writes by chance: the vectors of special tokens that are spelled out, padding above
# all, are far from all others, and no calibration text has them.
SPELLED_OUT = {"special tokens", "only padding tokens", "separator token"}


@pytest.fixture(scope="module")
def int8() -> Embedder:
    return load("all-minilm:int8")


def test_it_is_near_the_float32_model(int8: Embedder, minilm: Embedder) -> None:
    calibrated = texts.divided(texts.built_in(), source="", calibration=1000, held_out=1000)
    new = [text for text in paragraphs(300) if text not in calibrated.calibration][:200]
    found = likeness(minilm.embed(new), int8.embed(new))
    assert found.mean >= 0.998
    assert found.worst >= 0.99
    assert found.overlap >= 0.93


def test_it_is_near_the_reference_for_texts_of_every_kind(int8: Embedder) -> None:
    entries = [entry for entry in GOLDEN["texts"] if entry["name"] not in SPELLED_OUT]
    exact = [np.frombuffer(base64.b64decode(entry["vector"]), "<f4") for entry in entries]
    cosines = np.einsum("nd,nd->n", np.stack(exact), int8.embed([it["text"] for it in entries]))
    assert cosines.mean() >= 0.996
    assert cosines.min() >= 0.97


@settings(max_examples=25)
@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=12), st.data()
)
def test_a_text_alone_has_the_same_bits_in_any_company(
    int8: Embedder, company: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(company) - 1))
    alone = int8.embed([company[place]])[0]
    assert alone.tobytes() == int8.embed(company)[place].tobytes()


def test_it_says_nothing_of_vectors_that_depend_on_company() -> None:
    run = embed("text", "-m", "all-minilm:int8", "a", "b")
    assert (run.code, run.err) == (0, "")


def test_no_weights_overflow_on_a_processor_without_vnni(int8: Embedder) -> None:
    graph = onnx.load(int8.spec.graph).graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(products) == 36
    for node in products:
        assert not saturates(numpy_helper.to_array(stored[node.input[1]]))


def test_verify_knows_its_vectors() -> None:
    run = embed("verify", "all-minilm:int8", "--json", "--offline")
    found = json.loads(run.out)
    assert (run.code, found["within"], len(found["texts"])) == (0, True, 8)
    assert {text["tolerance"] for text in found["texts"]} == {5e-3}
