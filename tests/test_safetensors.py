"""Weights of dense layers are read with NumPy alone, and damage is said plainly."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedcli.errors import ModelError
from embedcli.models import safetensors


def _file(folder: Path, dtype: str, raw: bytes, shape: list[int]) -> Path:
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(raw)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "linear.weight": entry}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw)
    return path


@pytest.mark.parametrize(("dtype", "kind"), [("F32", "<f4"), ("F16", "<f2"), ("F64", "<f8")])
def test_floats_of_every_width_become_float32(tmp_path: Path, dtype: str, kind: str) -> None:
    numbers = np.array([[1.5, -2.0, 0.25]], dtype=kind)
    (array,) = safetensors.read(_file(tmp_path, dtype, numbers.tobytes(), [1, 3])).values()
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, numbers)


def test_bfloat16_is_the_upper_half_of_float32(tmp_path: Path) -> None:
    numbers = np.array([1.0, -3.140625, 65536.0], dtype="<f4")
    raw = (numbers.view("<u4") >> 16).astype("<u2").tobytes()
    (array,) = safetensors.read(_file(tmp_path, "BF16", raw, [3])).values()
    np.testing.assert_array_equal(array, numbers)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("I64", [1]), ("F32", [3]), ("F32", ["x"]), ("F32", [-1, -1])]
)
def test_what_cannot_be_weights_is_refused(tmp_path: Path, dtype: str, shape: list[int]) -> None:
    with pytest.raises(ModelError, match="is damaged"):
        safetensors.read(_file(tmp_path, dtype, bytes(8), shape))


@given(data=st.binary(max_size=64), header=st.integers(0, 2**64 - 1))
def test_damage_is_a_model_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, header: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(header.to_bytes(8, "little") + data)
    with pytest.raises(ModelError, match=r"damaged\.safetensors"):
        safetensors.read(path)
