"""A graph written anew, with some of its products, and its large tables, in 8 bits."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from embedcli.quantize.graph import Array, Graph, Node, Tensor, every_node, is_outside
from embedcli.quantize.plan import Plan, Product
from embedcli.quantize.tables import Table

_DOMAIN = "com.microsoft"
_OUTSIDE = 1024  # bytes; what is smaller stays in the graph's own file


def write(graph: Graph, plans: Sequence[Plan], tables: Sequence[Table], path: Path) -> None:
    """Write `graph` to `path`, with what is planned in 8 bits.

    Weights lie outside, in one file, if those of `graph` do: a graph of its own holds 2 GB at most.
    """
    import onnx

    model = type(graph.model)()
    model.CopyFrom(graph.model)
    edit = _Edit(model)
    for it in plans:
        edit.group(it)
    for table in tables:
        edit.table(table, graph)
    edit.finish()
    with ExitStack() as stack:
        if graph.locations:
            outside = path.with_name(f"{path.name}_data")
            _move(graph, model, stack.enter_context(outside.open("wb")), outside.name)
        onnx.save(model, path)


class _Edit:
    """Changes to a graph: which nodes come before which, and which fall away."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - onnx.ModelProto
        self._model = model
        self._before: dict[str, list[Node]] = {}  # the output of a node: what goes in its place
        self._dropped: set[str] = set()  # outputs of nodes that fall away
        self._count = 0

    def group(self, plan: Plan) -> None:
        """Put a group's products in 8 bits in the place of its nodes."""
        from onnx import helper

        self._count += 1
        name = f"int8 {self._count}"
        scaling = plan.scaling
        factors = self._store(f"{name} factors", 1 / scaling.factors)
        step = self._store(f"{name} step", np.float32(scaling.step))
        zero = self._store(f"{name} zero", np.uint8(scaling.zero))
        smooth, levels = f"{name} smooth", f"{name} levels"
        nodes = [
            helper.make_node("Mul", [plan.group.input, factors], [smooth], smooth),
            helper.make_node("QuantizeLinear", [smooth, step, zero], [levels], levels),
        ]
        for at, product in enumerate(plan.products):
            nodes.append(self._product(product, [levels, step, zero], f"{name}.{at}"))
            self._before[product.site.product] = nodes
            self._dropped |= {product.site.product, product.site.output}
            nodes = []

    def table(self, table: Table, graph: Graph) -> None:
        """Look up rows in 8 bits, each with a scale of its own."""
        from onnx import TensorProto, helper

        self._count += 1
        name = f"int8 {self._count}"
        rows, scales = table.rounded(graph)
        stored = self._store(f"{name} rows", rows), self._store(f"{name} scales", scales)
        found, scale, wide = f"{name} found", f"{name} scale", f"{name} wide"
        self._before[table.found] = [
            helper.make_node("Gather", [stored[0], table.places], [found], found),
            helper.make_node("Gather", [stored[1], table.places], [scale], scale),
            helper.make_node("Cast", [found], [wide], wide, to=TensorProto.FLOAT),
            helper.make_node("Mul", [wide, scale], [table.output], table.output),
        ]
        self._dropped |= {table.found, table.output}

    def finish(self) -> None:
        """Carry out the changes, and drop what nobody uses any more."""
        from onnx import helper

        graph = self._model.graph
        nodes = []
        for node in graph.node:
            nodes += self._before.get(node.output[0], [])
            if node.output[0] not in self._dropped:
                nodes.append(node)
        nodes = _used(nodes, {put.name for put in graph.output})
        del graph.node[:]
        graph.node.extend(nodes)
        names = {name for node in every_node(graph) for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in names]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        del graph.value_info[:]  # it may tell of values that are gone
        if all(entry.domain != _DOMAIN for entry in self._model.opset_import):
            self._model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))

    def _product(self, product: Product, levels: Sequence[str], name: str) -> Node:
        from onnx import helper

        weights = self._store(f"{name} weights", product.weights)
        scales = self._store(f"{name} scales", product.scales)
        nought = self._store(f"{name} nought", np.zeros(len(product.scales), np.int8))
        bias = self._store(f"{name} bias", product.bias)
        inputs, step, zero = levels
        return helper.make_node(
            "MatMulIntegerToFloat",
            [inputs, weights, step, scales, zero, nought, bias],
            [product.site.output],
            product.site.name,
            domain=_DOMAIN,
        )

    def _store(self, name: str, value: Array | np.generic) -> str:
        from onnx import numpy_helper

        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _used(nodes: Sequence[Node], needed: set[str]) -> list[Node]:
    """Return the nodes that lead to what is needed, in order."""
    kept = []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
            for entry in node.attribute:
                needed |= {name for inner in every_node(entry.g) for name in inner.input}
    return kept[::-1]


def _move(graph: Graph, model: Any, file: BinaryIO, location: str) -> None:  # noqa: ANN401
    """Write the tensors of `model` to `file`, one after the other, and say in each where it is."""
    for tensor in model.graph.initializer:
        start = file.tell()
        for piece in _pieces(graph, tensor):
            file.write(piece)
        if file.tell() == start:
            continue
        length = file.tell() - start
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        del tensor.external_data[:]
        for key, value in {"location": location, "offset": start, "length": length}.items():
            tensor.external_data.add(key=key, value=str(value))


def _pieces(graph: Graph, tensor: Tensor) -> Iterable[bytes]:
    if is_outside(tensor):
        return graph.bytes_of(tensor)
    return [tensor.raw_data] if len(tensor.raw_data) >= _OUTSIDE else []
