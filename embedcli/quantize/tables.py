"""Tables of embeddings in 8 bits, each row with a scale of its own: smaller, and as fast."""

from dataclasses import dataclass

import numpy as np

from embedcli.quantize.graph import Graph, Node, attribute
from embedcli.quantize.numbers import Float
from embedcli.quantize.rounding import Bytes

_LEAST = 1_000_000  # numbers; smaller tables are not worth a second look-up
_BLOCK = 4096  # rows that are rounded at once
_FLOAT, _HALF = 1, 10  # ONNX's TensorProto.DataType


@dataclass(frozen=True, slots=True)
class Table:
    """A table (V, D) from which rows are taken, as float32 in the end."""

    matrix: str
    places: str  # the numbers of the rows
    found: str  # what the look-up gives
    output: str  # the same as float32

    def rounded(self, graph: Graph) -> tuple[Bytes, Float]:
        """Return the rows as int8 (V, D), and their scales (V, 1) float32."""
        rows = graph.matrix(self.matrix)
        stored = np.empty(rows.shape, np.int8)
        scales = np.empty((len(rows), 1), np.float32)
        for start in range(0, len(rows), _BLOCK):  # a table of 2 GB took 7 as a whole
            some = slice(start, start + _BLOCK)
            peaks = np.abs(rows[some]).max(axis=1, keepdims=True)
            scales[some] = np.maximum(peaks, 1e-12) / np.float32(127)
            stored[some] = np.rint(rows[some] / scales[some])
        return stored, scales


def tables(graph: Graph) -> tuple[Table, ...]:
    """Find the tables of `graph` that are worth it."""
    found = (_table(graph, node) for node in graph.nodes if node.op_type == "Gather")
    return tuple(table for table in found if table is not None)


def _table(graph: Graph, node: Node) -> Table | None:
    shape = graph.stored_shape(node.input[0])
    if shape is None or len(shape) != 2 or shape[0] * shape[1] < _LEAST:
        return None
    if attribute(node, "axis", 0) != 0:
        return None
    matrix, places, found = node.input[0], node.input[1], node.output[0]
    if graph.is_float32(matrix):
        return Table(matrix, places, found, found)
    widened = _widened(graph, found)
    tensor = graph.stored.get(matrix)
    if widened is None or tensor is None or tensor.data_type != _HALF:
        return None
    return Table(matrix, places, found, widened)


def _widened(graph: Graph, found: str) -> str | None:
    """Return what the only user of rows in half precision makes of them: the same as float32."""
    users = graph.users(found)
    if graph.uses(found) != 1 or not users or users[0].op_type != "Cast":
        return None
    output: str = users[0].output[0]
    return output if attribute(users[0], "to", 0) == _FLOAT else None
