"""Transformers of one small layer, as exporters write them: real graphs with random weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

HIDDEN, WIDE, WORDS = 64, 128, 300


class Writer:
    """A graph that is written down node by node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(5)

    def add(self, kind: str, *inputs: str, **attributes: int | list[int]) -> str:
        name = f"{kind.lower()}.{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [name], name)
        for key, value in attributes.items():
            node.attribute.append(helper.make_attribute(key, value))
        self.nodes.append(node)
        return name

    def constant(self, value: NDArray[np.generic] | list[int] | float) -> str:
        name = f"constant.{len(self.tensors)}"
        array = np.array(value, np.float32) if isinstance(value, float) else np.asarray(value)
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> str:
        scale = 1.5 / shape[0] ** 0.5
        return self.constant((self.random.normal(size=shape) * scale).astype(np.float32))

    def outliers(self, value: str) -> str:
        """Make some channels far larger than the others, as trained models have them."""
        scale = np.where(np.arange(HIDDEN) % 13 == 0, 12, 1).astype(np.float32)
        shift = self.random.normal(size=HIDDEN).astype(np.float32)
        return self.add(
            "LayerNormalization", value, self.constant(scale), self.constant(shift), axis=-1
        )

    def save(self, output: str, path: Path, *, weights: str | None = None) -> None:
        self.nodes.append(helper.make_node("Identity", [output], ["last_hidden_state"]))
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "network",
            [value("input_ids", TensorProto.INT64, ["batch", "sequence"])],
            [value("last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", HIDDEN])],
            self.tensors,
        )
        opsets = [helper.make_opsetid("", 20)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path, save_as_external_data=weights is not None, location=weights)


def bert(to: Writer, hidden: str) -> str:
    """Write products with a bias added by a node of its own, as BERT's export has them."""

    def linear(value: str, *shape: int) -> str:
        product = to.add("MatMul", value, to.weights(*shape))
        return to.add("Add", to.weights(shape[1]), product)

    wide = to.add("Gelu", linear(to.outliers(_attention(to, hidden, linear)), HIDDEN, WIDE))
    return to.add("Add", linear(wide, WIDE, HIDDEN), hidden)


def flat(to: Writer, hidden: str) -> str:
    """Write every product as a Gemm over all tokens, its matrix turned or stored in half."""

    def linear(value: str, *shape: int) -> str:
        rows = to.add("Reshape", value, to.constant([-1, shape[0]]))
        matrix = to.weights(*shape[::-1])
        product = to.add("Gemm", rows, matrix, to.weights(shape[1]), transB=1)
        whole = to.add("Concat", to.add("Shape", "input_ids"), to.constant([shape[1]]), axis=0)
        return to.add("Reshape", product, whole)

    wide = to.add("Gelu", linear(to.outliers(_attention(to, hidden, linear)), HIDDEN, WIDE))
    return to.add("Add", linear(wide, WIDE, HIDDEN), hidden)


def decoder(to: Writer, hidden: str) -> str:
    """Write products without a bias, and a gate, as decoders have them; matrices transposed."""

    def linear(value: str, *shape: int) -> str:
        return to.add("MatMul", value, to.add("Transpose", to.weights(*shape[::-1]), perm=[1, 0]))

    mixed = to.outliers(_attention(to, hidden, linear))
    gate = linear(mixed, HIDDEN, WIDE)
    opened = to.add("Mul", gate, to.add("Sigmoid", gate))
    wide = to.add("Mul", opened, linear(mixed, HIDDEN, WIDE))
    return to.add("Add", linear(wide, WIDE, HIDDEN), hidden)


LAYERS: dict[str, Callable[[Writer, str], str]] = {"bert": bert, "flat": flat, "decoder": decoder}


def write(folder: Path, layer: str, *, weights: str | None = None) -> Path:
    """Write a whole model of one such layer, with a tokenizer of made-up words.

    `weights` names a file beside the graph that holds them.
    """
    to = Writer()
    hidden = to.outliers(to.add("Gather", to.weights(WORDS, HIDDEN), "input_ids"))
    to.save(LAYERS[layer](to, hidden), folder / "onnx" / "model.onnx", weights=weights)
    words = {f"w{number}": number for number in range(WORDS)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}')
    return folder


def texts(count: int) -> list[str]:
    """Return texts of the made-up words."""
    random = np.random.default_rng(3)
    rows = (random.integers(0, WORDS, random.integers(1, 24)) for _ in range(count))
    return [" ".join(f"w{word}" for word in row) for row in rows]


def _attention(to: Writer, hidden: str, linear: Callable[..., str]) -> str:
    query, key, value = (linear(hidden, HIDDEN, HIDDEN) for _ in range(3))
    alike = to.add("MatMul", query, to.add("Transpose", key, perm=[0, 2, 1]))
    shares = to.add("Softmax", to.add("Div", alike, to.constant(HIDDEN**0.5)), axis=-1)
    mixed = linear(to.add("MatMul", shares, value), HIDDEN, HIDDEN)
    return to.add("Add", mixed, hidden)
