"""An ONNX graph as the quantiser reads it: nodes, who uses what, and weights one at a time.

Every graph is read here, and so the absence of `onnx`, which comes with the extra `quantize`, is
told here. Weights that lie outside the file stay there until they are asked for.
"""

import mmap
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from embedcli.errors import ModelError, UsageError
from embedcli.quantize.numbers import Float

Array = NDArray[Any]
Node = Any  # onnx.NodeProto
Tensor = Any  # onnx.TensorProto

# Operators that only a quantised graph has.
_QUANTISED = {
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "DynamicQuantizeLSTM",
    "DynamicQuantizeMatMul",
    "GatherBlockQuantized",
    "MatMulBnb4",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "MatMulNBits",
    "QAttention",
    "QGemm",
    "QLinearConv",
    "QLinearMatMul",
}
_SHAPERS = {"Cast", "Identity", "Transpose"}  # what may stand between a matrix and its product


class Graph:
    """A graph without its weights, which are read from the file or from beside it."""

    def __init__(self, model: Any, folder: Path) -> None:  # noqa: ANN401 - onnx.ModelProto
        self.model = model
        self.folder = folder
        self.stored: dict[str, Tensor] = {it.name: it for it in model.graph.initializer}
        self._made: dict[str, Node] = {
            output: node for node in model.graph.node for output in node.output
        }
        self._uses = Counter(name for node in every_node(model.graph) for name in node.input)
        self._uses.update(put.name for put in model.graph.output)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the graph at `path`.

        Raises:
            ModelError: it is damaged, or quantised already.
            UsageError: the package `onnx` is not installed.
        """
        try:
            import onnx
        except ImportError as error:
            raise UsageError(
                "quantising needs the package `onnx`, which is not installed",
                hint="pip install 'embedcli[quantize]'",
            ) from error
        try:
            model = onnx.load(path, load_external_data=False)
        except Exception as error:  # protobuf's errors share no narrower ancestor
            raise ModelError(f"cannot read the graph `{path}`: {error}") from error
        found = sorted({node.op_type for node in every_node(model.graph)} & _QUANTISED)
        if found:
            raise ModelError(
                f"the graph `{path.name}` is quantised already: it has {', '.join(found)}",
                hint="start from the float32 graph",
            )
        _store_constants(model.graph)
        return cls(model, path.parent)

    @property
    def locations(self) -> list[str]:
        """The files with weights, relative to the graph's folder."""
        outside = filter(is_outside, self.stored.values())
        return sorted({place(tensor)["location"] for tensor in outside})

    @property
    def nodes(self) -> list[Node]:
        """The nodes, in an order in which they can run."""
        return list(self.model.graph.node)

    def uses(self, name: str) -> int:
        """Return how many times a value is used, as the graph's output too."""
        return self._uses[name]

    def users(self, name: str) -> list[Node]:
        """Return the nodes that use a value."""
        return [node for node in self.model.graph.node if name in node.input]

    def stored_shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a constant matrix, without reading it; None if it is computed."""
        if name in self.stored:
            return tuple(self.stored[name].dims)
        node = self._made.get(name)
        if node is None or node.op_type not in _SHAPERS:
            return None
        shape = self.stored_shape(node.input[0])
        if shape is None or node.op_type != "Transpose":
            return shape
        return tuple(shape[axis] for axis in _order(node, len(shape)))

    def matrix(self, name: str) -> Float:
        """Read a constant as float32: what is stored, and what Cast and Transpose make of it."""
        if name in self.stored:
            return self._read(self.stored[name]).astype(np.float32, copy=False)
        node = self._made[name]
        matrix = self.matrix(node.input[0])
        if node.op_type == "Transpose":
            matrix = matrix.transpose(_order(node, matrix.ndim))
        return matrix

    def is_float32(self, name: str) -> bool:
        """Say whether a constant takes part in the computation as float32."""
        if name in self.stored:
            return bool(self.stored[name].data_type == 1)
        node = self._made[name]
        if node.op_type == "Cast":
            return bool(attribute(node, "to", 0) == 1)
        return self.is_float32(node.input[0])

    def bytes_of(self, tensor: Tensor) -> Iterator[bytes]:
        """Yield the bytes of a tensor that lies outside, some megabytes at a time."""
        where = place(tensor)
        start = int(where.get("offset", 0))
        with (self.folder / where["location"]).open("rb") as file:
            rest = os.fstat(file.fileno()).st_size - start
            left = int(where.get("length", rest))
            file.seek(start)
            while left:
                piece = file.read(min(left, 1 << 24))
                if not piece:
                    raise ModelError(f"`{where['location']}` is shorter than the graph says")
                left -= len(piece)
                yield piece

    def _read(self, tensor: Tensor) -> Array:
        from onnx import helper, numpy_helper

        if not is_outside(tensor):
            array: Array = numpy_helper.to_array(tensor)
            return array
        where = place(tensor)
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        path = self.folder / where["location"]
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = int(where.get("offset", 0))
            count = int(np.prod(tensor.dims, dtype=np.int64))
            flat = np.frombuffer(data[start : start + count * dtype.itemsize], dtype)
        return flat.reshape(tuple(tensor.dims))


def _store_constants(graph: Any) -> None:  # noqa: ANN401 - onnx.GraphProto
    """Make the tensors that nodes give stored ones, as onnxruntime does: one kind less to know.

    Some may lie outside the file, as one does in bge-m3.
    """
    kept = []
    for node in graph.node:
        tensor = attribute(node, "value", None) if node.op_type == "Constant" else None
        if tensor is None:
            kept.append(node)
            continue
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(kept)


def is_outside(tensor: Tensor) -> bool:
    """Say whether a tensor's values lie in a file of their own."""
    return bool(tensor.data_location == 1)


def place(tensor: Tensor) -> dict[str, str]:
    """Return where a tensor's values lie: `location`, `offset` and `length`."""
    return {entry.key: entry.value for entry in tensor.external_data}


def attribute(node: Node, name: str, default: Any) -> Any:  # noqa: ANN401 - ONNX knows many kinds
    """Return the attribute `name` of a node, or `default`."""
    from onnx import helper

    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def every_node(graph: Any) -> Iterator[Node]:  # noqa: ANN401 - onnx.GraphProto
    """Yield the nodes of a graph, and of the graphs inside it."""
    for node in graph.node:
        yield node
        for entry in node.attribute:
            if entry.HasField("g"):
                yield from every_node(entry.g)


def _order(node: Node, rank: int) -> list[int]:
    order: list[int] = attribute(node, "perm", list(range(rank))[::-1])
    return list(order)
