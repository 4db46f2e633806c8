"""Dense layers by hand, and no row of one depends on its mates."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from embedcli.engine.dense import ACTIVATIONS, Layer
from embedcli.errors import ModelError
from embedcli.models.spec import Activation, Dense


def _weights(folder: Path, **arrays: Sequence[Sequence[float]] | Sequence[float]) -> Path:
    header, body = {}, b""
    for name, values in arrays.items():
        raw = np.array(values, "<f4")
        span = [len(body), len(body) + raw.nbytes]
        key = name.replace("__", ".")
        header[key] = {"dtype": "F32", "shape": list(raw.shape), "data_offsets": span}
        body += raw.tobytes()
    head = json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(head).to_bytes(8, "little") + head + body)
    return path


def test_a_layer_with_bias_by_hand(tmp_path: Path) -> None:
    path = _weights(tmp_path, linear__weight=[[1, 2], [0, -1], [3, 0]], linear__bias=[1, 0, -9])
    layer = Layer.read(Dense(path, 2, 3, Activation.RELU, bias=True, residual=False))
    np.testing.assert_array_equal(layer(np.array([[1, 1], [2, 0]], np.float32)), [
        [4, 0, 0], [3, 0, 0],
    ])  # fmt: skip


def test_a_residual_is_added_on_top(tmp_path: Path) -> None:
    square = _weights(tmp_path, linear__weight=[[2, 0], [0, 2]])
    layer = Layer.read(Dense(square, 2, 2, Activation.IDENTITY, bias=False, residual=True))
    np.testing.assert_array_equal(layer(np.array([[1, 5]], np.float32)), [[3, 15]])
    path = _weights(tmp_path, linear__weight=[[2, 0]], residual__weight=[[0, 1]])
    layer = Layer.read(Dense(path, 2, 1, Activation.IDENTITY, bias=False, residual=True))
    np.testing.assert_array_equal(layer(np.array([[1, 5]], np.float32)), [[7]])


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (Activation.IDENTITY, -1.0),
        (Activation.TANH, math.tanh(-1)),
        (Activation.RELU, 0.0),
        (Activation.GELU, -0.5 * (1 + math.erf(-1 / math.sqrt(2)))),
        (Activation.SILU, -1 / (1 + math.e)),
        (Activation.SIGMOID, 1 / (1 + math.e)),
    ],
)
def test_activations_by_hand(activation: Activation, expected: float) -> None:
    made = ACTIVATIONS[activation](np.array([[-1]], np.float32))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, [[expected]], rtol=1e-6)


def test_weights_of_another_size_than_the_config_says_are_refused(tmp_path: Path) -> None:
    path = _weights(tmp_path, linear__weight=[[1, 2]])
    with pytest.raises(ModelError, match=r"has no `linear.weight` of \(3, 2\)"):
        Layer.read(Dense(path, 2, 3, Activation.TANH, bias=False, residual=False))
    with pytest.raises(ModelError, match=r"has no `linear.bias`"):
        Layer.read(Dense(path, 2, 1, Activation.TANH, bias=True, residual=False))


@given(arrays(np.float32, (9, 24), elements=st.floats(-10, 10, width=32)), st.integers(0, 8))
def test_a_row_does_not_depend_on_its_mates(rows: NDArray[np.float32], row: int) -> None:
    weight = np.random.default_rng(0).normal(size=(40, 24)).astype(np.float32)
    layer = Layer(Activation.GELU, weight, None, None)
    assert layer(rows)[row].tobytes() == layer(rows[row : row + 1])[0].tobytes()
