"""Layers after the pooling: y = activation(W x + b), in NumPy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from embedcli.errors import ModelError
from embedcli.models import safetensors
from embedcli.models.spec import Activation, Dense
from embedcli.records import Vectors

_ERF = np.frompyfunc(math.erf, 1, 1)


def _gelu(sums: Vectors) -> Vectors:
    """Return x times the normal distribution's share below x, as torch's GELU does by default."""
    share: Vectors = 0.5 * (1 + _ERF(sums / math.sqrt(2)).astype(np.float32))
    return sums * share


def _sigmoid(sums: Vectors) -> Vectors:
    return np.float32(1) / (np.float32(1) + np.exp(-sums))


ACTIVATIONS: dict[Activation, Callable[[Vectors], Vectors]] = {
    Activation.IDENTITY: lambda sums: sums,
    Activation.TANH: np.tanh,
    Activation.RELU: lambda sums: np.maximum(sums, np.float32(0)),
    Activation.GELU: _gelu,
    Activation.SILU: lambda sums: sums * _sigmoid(sums),
    Activation.SIGMOID: _sigmoid,
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A dense layer with its weights."""

    activation: Activation
    weight: Vectors  # (outputs, inputs) float32
    bias: Vectors | None  # (outputs,)
    residual: Vectors | None  # (outputs, inputs): what is added on top

    @classmethod
    def read(cls, dense: Dense) -> Self:
        """Read the weights of a layer.

        Raises:
            ModelError: they are damaged, or not what its config says.
        """
        arrays = safetensors.read(dense.weights)
        shape = (dense.outputs, dense.inputs)
        wanted: dict[str, tuple[int, ...]] = {"linear.weight": shape}
        if dense.bias:
            wanted["linear.bias"] = shape[:1]
        if dense.residual and dense.inputs != dense.outputs:
            wanted["residual.weight"] = shape
        for name, size in wanted.items():
            if name not in arrays or arrays[name].shape != size:
                raise ModelError(f"`{dense.weights}` is damaged: it has no `{name}` of {size}")
        same = np.eye(dense.outputs, dtype=np.float32) if dense.residual else None
        bias = arrays["linear.bias"] if dense.bias else None
        residual = arrays.get("residual.weight", same) if dense.residual else None
        return cls(dense.activation, arrays["linear.weight"], bias, residual)

    def __call__(self, rows: Vectors) -> Vectors:
        """Return what the layer makes of rows (B, inputs): (B, outputs)."""
        sums = _each(self.weight, rows)
        if self.bias is not None:
            sums = sums + self.bias
        outputs = ACTIVATIONS[self.activation](sums)
        return outputs if self.residual is None else outputs + _each(self.residual, rows)


def _each(weight: Vectors, rows: Vectors) -> Vectors:
    """Multiply row by row: a product of all rows at once would give each other last bits."""
    products: Vectors = np.matmul(weight, rows[:, :, None])[:, :, 0]
    return products
