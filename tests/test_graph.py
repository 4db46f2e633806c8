"""What an ONNX file says of itself is read without onnxruntime, and damage is said plainly."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from embedcli.errors import ModelError
from embedcli.models import graph
from embedcli.models.graph import Value


def _outside(name: str, location: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros((2, 3), np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="length", value="24")
    return tensor


def _model(location: str = "model.onnx_data") -> onnx.ModelProto:
    """A graph with weights of every kind: listed, sparse, in a node, in a branch, in a function."""
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=_outside("c", "in_a_branch"))],
        "branch", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2, 3])],
    )  # fmt: skip
    nodes = [
        helper.make_node("If", ["yes"], ["v"], then_branch=inner, else_branch=inner),
        helper.make_node("Constant", [], ["k"], value=_outside("k", "Constant_7_attr__value")),
        helper.make_node("Twice", ["v"], ["out"], domain="own"),
    ]
    outer = helper.make_graph(
        nodes, "main",
        [
            helper.make_tensor_value_info("yes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("past", TensorProto.FLOAT16, ["batch", 8, "past", 16]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 3]),
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 3])],
        initializer=[_outside("w", location)],
        sparse_initializer=[
            helper.make_sparse_tensor(
                _outside("s", "sparse_values"), _outside("i", "sparse_places"), [2, 3]
            )
        ],
    )  # fmt: skip
    function = helper.make_function(
        "own", "Twice", ["x"], ["y"],
        [helper.make_node("Constant", [], ["y"], value=_outside("f", "in_a_function"))],
        [helper.make_opsetid("", 17)],
    )  # fmt: skip
    return helper.make_model(outer, functions=[function], ir_version=9)


def _saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_inputs_outputs_and_operators_are_read_from_the_file(tmp_path: Path) -> None:
    found = graph.read(_saved(tmp_path, _model()))
    past = Value("past", "float16", ("batch", 8, "past", 16))
    assert found.inputs == (Value("yes", "bool", ()), past)
    assert found.outputs == (Value("out", "float32", (2, 3)),)
    assert found.operators == {"If", "Constant", "Twice"}


def test_external_weights_are_found_wherever_a_graph_can_hide_them(tmp_path: Path) -> None:
    found = graph.read(_saved(tmp_path, _model("parts/model.onnx_data")))
    assert found.external == (
        "Constant_7_attr__value", "in_a_branch", "in_a_function",
        "parts/model.onnx_data", "sparse_places", "sparse_values",
    )  # fmt: skip


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../secret", "a/../../b", "C:/x", "a\\..\\b", "", "*/_ORT_MEM_ADDR_/*"],
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    with pytest.raises(ModelError, match="is not safe"):
        graph.read(_saved(tmp_path, _model(location)))


def test_a_graph_with_no_shapes_is_read(tmp_path: Path) -> None:
    model = _model()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    (output,) = graph.read(_saved(tmp_path, model)).outputs
    assert (output.shape, output.rank) == (None, None)


def _field(number: int, body: bytes) -> bytes:
    """A protobuf field that holds `body`, its length in three bytes."""
    size = len(body)
    return bytes([number << 3 | 2, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + body


def test_graphs_within_graphs_end_somewhere(tmp_path: Path) -> None:
    body = b""
    for _ in range(200):  # GraphProto.node = 1, NodeProto.attribute = 5, AttributeProto.g = 6
        body = _field(1, _field(5, _field(6, body)))
    path = tmp_path / "deep.onnx"
    path.write_bytes(_field(7, body))
    with pytest.raises(ModelError, match="damaged"):
        graph.read(path)


@given(at=st.integers(0, 2000), byte=st.integers(0, 255), keep=st.integers(0, 2000))
def test_damage_anywhere_is_a_model_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, keep: int
) -> None:
    whole = bytearray(_model().SerializeToString())
    whole[at % len(whole)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(whole[: max(keep, 1)])
    with suppress(ModelError):
        graph.read(path)


def test_an_empty_or_missing_file_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    for name in ["empty.onnx", "none.onnx"]:
        with pytest.raises(ModelError, match=name):
            graph.read(tmp_path / name)
