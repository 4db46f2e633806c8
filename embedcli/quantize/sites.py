"""Which products of a graph can be computed in 8 bits: those with a constant matrix.

Products that share an input, such as query, key and value, share its quantising, and are a group.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from embedcli.quantize.graph import Graph, Node, attribute
from embedcli.quantize.numbers import Float

# Smaller matrices take no time worth having.
_LEAST = 64 * 64


@dataclass(frozen=True, slots=True)
class Site:
    """A product of an input (..., K) with a constant matrix (K, N), and perhaps a bias (N,)."""

    name: str  # the node's, for the report
    input: str
    matrix: str
    turned: bool  # the matrix is stored as (N, K)
    bias: str | None
    product: str  # what the node computes, which a bias may be added to by a node of its own
    output: str
    shape: tuple[int, int]  # K, N

    def weights(self, graph: Graph) -> Float:
        """Read the matrix, (K, N) float32."""
        matrix = graph.matrix(self.matrix)
        return np.ascontiguousarray(matrix.T if self.turned else matrix)

    def added(self, graph: Graph) -> Float:
        """Read the bias, (N,) float32; zeros where there is none."""
        if self.bias is None:
            return np.zeros(self.shape[1], np.float32)
        return np.broadcast_to(graph.matrix(self.bias).reshape(-1), self.shape[1:])


@dataclass(frozen=True, slots=True)
class Group:
    """The products of one input, quantised together or not at all."""

    input: str
    sites: tuple[Site, ...]

    @property
    def channels(self) -> int:
        """K, how many numbers a token has in the input."""
        return self.sites[0].shape[0]

    @property
    def work(self) -> int:
        """Multiplications a token."""
        return sum(site.shape[0] * site.shape[1] for site in self.sites)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a graph's products are."""

    groups: tuple[Group, ...]
    left_out: tuple[tuple[str, str], ...]  # a product that must stay as it is, and why


def survey(graph: Graph) -> Survey:
    """Find the products of `graph`, in the order in which they run."""
    found: dict[str, list[Site]] = defaultdict(list)
    left_out = []
    for node in graph.nodes:
        if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx"):
            continue
        why = _refusal(graph, node)
        if why:
            left_out.append((node.name or node.output[0], why))
        elif graph.stored_shape(node.input[1]) is not None:
            found[node.input[0]].append(_site(graph, node))
    groups = tuple(Group(name, tuple(sites)) for name, sites in found.items())
    return Survey(groups, tuple(left_out))


def _refusal(graph: Graph, node: Node) -> str:
    """Return why a product stays as it is; nothing for one between two computed values."""
    shape = graph.stored_shape(node.input[1])
    if shape is None:
        first = graph.stored_shape(node.input[0])
        return "its constant matrix comes first" if first and len(first) > 1 else ""
    if len(shape) != 2:
        return f"its matrix has {len(shape)} dimensions"
    if shape[0] * shape[1] < _LEAST:
        return "it is too small to matter"
    if not graph.is_float32(node.input[1]):
        return "it is not computed in float32"
    if node.op_type == "Gemm" and not _is_plain(graph, node):
        return "its Gemm does more than multiply and add a constant"
    return ""


def _is_plain(graph: Graph, node: Node) -> bool:
    factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    if factors != (1.0, 1.0) or attribute(node, "transA", 0):
        return False
    bias = node.input[2] if len(node.input) > 2 else ""
    return not bias or _is_row(graph, bias)


def _is_row(graph: Graph, name: str) -> bool:
    shape = graph.stored_shape(name)
    return shape is not None and len([size for size in shape if size != 1]) <= 1


def _site(graph: Graph, node: Node) -> Site:
    turned = node.op_type == "Gemm" and bool(attribute(node, "transB", 0))
    rows, columns = graph.stored_shape(node.input[1]) or (0, 0)
    product = node.output[0]
    bias = (node.input[2] or None) if len(node.input) > 2 else None
    output = product
    if bias is None:
        bias, output = _bias_after(graph, product, rows if turned else columns)
    return Site(
        name=node.name or product,
        input=node.input[0],
        matrix=node.input[1],
        turned=turned,
        bias=bias,
        product=product,
        output=output,
        shape=(columns, rows) if turned else (rows, columns),
    )


def _bias_after(graph: Graph, product: str, columns: int) -> tuple[str | None, str]:
    """Return the constant that the product's only user adds, and what that gives."""
    users = graph.users(product)
    if graph.uses(product) == 1 and len(users) == 1 and users[0].op_type == "Add":
        for name in users[0].input:
            if name != product and graph.stored_shape(name) == (columns,):
                return name, users[0].output[0]
    return None, product
