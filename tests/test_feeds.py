"""A graph is fed whatever it lists as inputs, in the types and shapes that it asks for."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from embedcli.engine.session import Session
from embedcli.errors import ModelError, UsageError
from embedcli.models.spec import ModelSpec, Pooling

Shape = list[int | str]
IDS = np.array([[7, 8, 9]])


def _session(
    folder: Path,
    inputs: dict[str, tuple[int, Shape]],
    *,
    scalars: dict[str, int] | None = None,
    past: tuple[int, int] | None = None,
) -> Session:
    """A graph whose hidden states are its inputs, each cast to float32, side by side.

    Of keys and values it gives the shape.
    """
    nodes, parts = [], []
    for name, (_, shape) in inputs.items():
        seen = "Shape" if len(shape) == 4 else "Identity"
        nodes.append(helper.make_node(seen, [name], [f"{name}_seen"]))
        float32 = TensorProto.FLOAT
        nodes.append(helper.make_node("Cast", [f"{name}_seen"], [f"{name}_f"], to=float32))
        nodes.append(helper.make_node("Reshape", [f"{name}_f", "row"], [f"{name}_row"]))
        parts.append(f"{name}_row")
    nodes.append(helper.make_node("Concat", parts, ["last_hidden_state"], axis=1))
    graph = helper.make_graph(
        nodes, "inputs",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "t", 1])],
        [helper.make_tensor("row", TensorProto.INT64, [3], [1, -1, 1])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    return Session(_spec(folder, scalars=scalars, past=past), threads=1)


def _spec(
    folder: Path, *, scalars: dict[str, int] | None = None, past: tuple[int, int] | None = None
) -> ModelSpec:
    return ModelSpec(
        name="inputs", folder=folder, graph=folder / "model.onnx", tokenizer=folder / "none",
        dimensions=1, max_tokens=9, pooling=(Pooling.MEAN,), scalars=scalars or {}, past=past,
    )  # fmt: skip


def _fed(session: Session) -> list[float]:
    fed: list[float] = session.run(IDS)[0, :, 0].tolist()
    return fed


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT])
def test_the_usual_inputs_are_fed_in_the_type_asked_for(tmp_path: Path, kind: int) -> None:
    names = ["input_ids", "attention_mask", "token_type_ids", "position_ids"]
    session = _session(tmp_path, {name: (kind, ["b", "t"]) for name in names})
    assert _fed(session) == [7, 8, 9, 1, 1, 1, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_keys_and_values_before_the_text_have_no_length(tmp_path: Path, kind: int) -> None:
    inputs: dict[str, tuple[int, Shape]] = {
        "input_ids": (TensorProto.INT64, ["b", "t"]),
        "past_key_values.0.key": (kind, ["b", 8, "past", 128]),
    }
    assert _fed(_session(tmp_path, inputs)) == [7, 8, 9, 1, 8, 0, 128]


def test_config_json_says_how_wide_they_are_where_the_graph_does_not(tmp_path: Path) -> None:
    inputs: dict[str, tuple[int, Shape]] = {
        "input_ids": (TensorProto.INT64, ["b", "t"]),
        "past_key_values.0.value": (TensorProto.FLOAT, ["b", "heads", "past", "size"]),
    }
    assert _fed(_session(tmp_path, inputs, past=(2, 64))) == [7, 8, 9, 1, 2, 0, 64]
    with pytest.raises(ModelError, match=r"how wide `past_key_values.0.value` is"):
        _session(tmp_path, inputs)


@pytest.mark.parametrize("shape", [[], [1]])
def test_a_scalar_input_is_fed_what_the_spec_says(tmp_path: Path, shape: Shape) -> None:
    inputs: dict[str, tuple[int, Shape]] = {
        "input_ids": (TensorProto.INT64, ["b", "t"]),
        "task_id": (TensorProto.INT32, shape),
    }
    assert _fed(_session(tmp_path, inputs, scalars={"task_id": 4})) == [7, 8, 9, 4]


def test_an_input_that_nobody_knows_is_an_error_when_the_graph_is_loaded(tmp_path: Path) -> None:
    inputs: dict[str, tuple[int, Shape]] = {
        "input_ids": (TensorProto.INT64, ["b", "t"]),
        "pixel_values": (TensorProto.FLOAT, ["b", "t"]),
    }
    with pytest.raises(ModelError, match="asks for `pixel_values`"):
        _session(tmp_path, inputs)


def test_a_device_that_fails_as_it_runs_is_named_with_the_reason(tmp_path: Path) -> None:
    inputs: dict[str, tuple[int, Shape]] = {"input_ids": (TensorProto.INT64, ["b", "t"])}
    _session(tmp_path, inputs)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.initializer[0].int64_data[:] = [1, -1, 7]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UsageError, match=r"`azure` cannot run this model: .* shape") as caught:
        Session(_spec(tmp_path), threads=1, device="azure")
    assert caught.value.hint == "leave out --device to use the CPU"
