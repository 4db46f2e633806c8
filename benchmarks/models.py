"""What other models cost: dynamic int8 with a text a run, and the second start of a big graph.

The graphs have the shape of BERT and random weights, and are made in a temporary folder.
Run as `python -m benchmarks.models`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.corpus import paragraphs
from benchmarks.engine import seconds
from benchmarks.pairs import table
from embedcli import load
from embedcli.engine import cores
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.models.spec import ModelSpec

_HEAD = 64  # dimensions of an attention head
_PAGE = 4096  # bytes that weights are aligned to, as exporters do


class _Bert:
    """Writes a graph of BERT's shape, its weights into a file beside it as they are made."""

    def __init__(self, folder: Path, hidden: int) -> None:
        self.folder = folder
        self.hidden = hidden
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[onnx.TensorProto] = []
        self.file = (folder / "model.onnx_data").open("wb")

    def weights(self, *shape: int) -> str:
        """Add an array of random weights, and return its name."""
        self.file.write(bytes(-self.file.tell() % _PAGE))
        values = self.random.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        name, start = f"w{len(self.arrays)}", self.file.tell()
        self.file.write(values.tobytes())
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", "model.onnx_data"),
            ("offset", start),
            ("length", values.nbytes),
        ):
            tensor.external_data.add(key=key, value=str(value))
        self.arrays.append(tensor)
        return name

    def constant(self, *values: float, dtype: type[np.generic] = np.float32) -> str:
        """Add a small array, and return its name."""
        array = np.array(values if len(values) > 1 else values[0], dtype)
        self.arrays.append(numpy_helper.from_array(array, f"c{len(self.arrays)}"))
        return self.arrays[-1].name

    def node(self, operator: str, *inputs: str, perm: Sequence[int] = ()) -> str:
        """Add a node, and return the name of its output."""
        output = f"n{len(self.nodes)}"
        made = helper.make_node(operator, inputs, [output])
        if perm:
            made.attribute.append(helper.make_attribute("perm", perm))
        self.nodes.append(made)
        return output

    def linear(self, states: str, inputs: int, outputs: int) -> str:
        """Add a matrix product with bias."""
        product = self.node("MatMul", states, self.weights(inputs, outputs))
        return self.node("Add", product, self.weights(outputs))

    def normalized(self, states: str, residual: str) -> str:
        """Add a layer norm of a sum."""
        scales = self.weights(self.hidden), self.weights(self.hidden)
        return self.node("LayerNormalization", self.node("Add", states, residual), *scales)

    def attention(self, states: str) -> str:
        """Add self-attention, as exporters write it."""
        split = self.constant(0, 0, self.hidden // _HEAD, _HEAD, dtype=np.int64)
        joined = self.constant(0, 0, self.hidden, dtype=np.int64)
        query, key, value = (
            self.node(
                "Transpose",
                self.node("Reshape", self.linear(states, self.hidden, self.hidden), split),
                perm=order,
            )
            for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        )
        scores = self.node("Div", self.node("MatMul", query, key), self.constant(_HEAD**0.5))
        mixed = self.node("MatMul", self.node("Softmax", scores), value)
        flat = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        return self.linear(flat, self.hidden, self.hidden)

    def layer(self, states: str) -> str:
        """Add a layer: attention, then a wide product with GELU and back."""
        states = self.normalized(self.attention(states), states)
        wide = self.linear(states, self.hidden, 4 * self.hidden)
        erf = self.node("Erf", self.node("Div", wide, self.constant(2**0.5)))
        gelu = self.node("Mul", wide, self.node("Add", erf, self.constant(1.0)))
        half = self.node("Mul", gelu, self.constant(0.5))
        return self.normalized(self.linear(half, 4 * self.hidden, self.hidden), states)

    def write(self, layers: int, vocabulary: int) -> Path:
        """Write the graph, and return where it lies."""
        states = self.node("Gather", self.weights(vocabulary, self.hidden), "input_ids")
        for _ in range(layers):
            states = self.layer(states)
        self.nodes.append(helper.make_node("Identity", [states], ["last_hidden_state"]))
        shape = ["batch", "sequence"]
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
            [
                helper.make_tensor_value_info(
                    "last_hidden_state", TensorProto.FLOAT, [*shape, self.hidden]
                )
            ],
            self.arrays,
        )
        self.file.close()
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(model, self.folder / "model.onnx")
        return self.folder / "model.onnx"


def spec_of(graph: Path) -> ModelSpec:
    """Return the bundled model's facts, for another graph."""
    weights = graph.with_name("model.onnx_data")
    size = graph.stat().st_size + (weights.stat().st_size if weights.exists() else 0)
    return replace(load().spec, graph=graph, weights=(weights,), size=size)


def embedder_of(graph: Path, *, texts: int) -> Embedder:
    """Return an embedder of at most `texts` texts a run."""
    spec = replace(spec_of(graph), size=0)
    return Embedder(
        spec,
        Tokenizer(spec.tokenizer),
        lambda threads: Session(spec, threads=threads),
        threads=cores.allowed(),
        limits=Limits(tokens=512, texts=texts),
    )


def run_dynamic(texts: int = 300, rounds: int = 5, *, hidden: int = 384, layers: int = 6) -> str:
    """Return the table of what a text a run costs a graph that quantises as it runs."""
    from onnxruntime.quantization import quantize_dynamic  # slow to load, and not for `start`

    with tempfile.TemporaryDirectory() as folder:
        graph = _Bert(Path(folder), hidden).write(layers, 30522)
        dynamic = Path(folder, "dynamic.onnx")
        quantize_dynamic(graph, dynamic)
        ways = {
            "float32, in batches": embedder_of(graph, texts=512),
            "dynamic int8, in batches": embedder_of(dynamic, texts=512),
            "dynamic int8, one text a run": embedder_of(dynamic, texts=1),
        }
        corpus = paragraphs(texts)
        alone = np.stack([ways["dynamic int8, in batches"].embed([text])[0] for text in corpus])
        apart = {
            name: float(np.abs(embedder.embed(corpus) - alone).max())
            for name, embedder in ways.items()
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, embedder in ways.items():
                times[name].append(seconds(lambda chosen=embedder: chosen.embed(corpus)))  # type: ignore[misc]  # a default is not inferred
    first = statistics.median(times["float32, in batches"])
    rows = [
        [
            name,
            f"{first / statistics.median(took):.2f}",
            "" if "float" in name else f"{apart[name]:.1e}",
        ]
        for name, took in times.items()
    ]
    return table(["throughput", "float32 = 1", "largest difference from alone"], rows)


def run_starts(rounds: int = 3, *, hidden: int = 1024, layers: int = 24) -> str:
    """Return the table of starts: seconds to load and run once, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        graph = _Bert(Path(folder), hidden).write(layers, 30522)
        size = spec_of(graph).size
        made = _start(graph, Path(folder, "copies"))
        plain = [_start(graph, None) for _ in range(rounds)]
        again = [_start(graph, Path(folder, "copies")) for _ in range(rounds)]
    header = [f"{size / 4e6:,.0f}M weights of float32", "seconds", "CPU", "own memory / weights"]
    rows = [
        _row("a start without a copy", plain, size),
        _row("the first start, which makes one", [made], size),
        _row("every start after it", again, size),
    ]
    return table(header, rows)


def _row(name: str, starts: Sequence[dict[str, float]], size: int) -> list[str]:
    wall, busy, own = (
        statistics.median(start[what] for start in starts) for what in ("wall", "cpu", "own")
    )
    return [name, f"{wall:.2f}", f"{busy:.2f}", f"{own / size:.2f}"]


def _start(graph: Path, copies: Path | None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.models", str(graph), str(copies or "")]
    done = subprocess.run(command, check=True, capture_output=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def start(graph: Path, copies: Path | None) -> dict[str, float]:
    """Load a graph and run it once; return seconds, and the bytes of memory that are its own."""
    spec = spec_of(graph)
    begun, busy = time.perf_counter(), time.process_time()
    session = Session(spec, threads=1, copies=copies)
    session.run(np.full((1, 16), 5))
    wall, cpu = time.perf_counter() - begun, time.process_time() - busy
    (own,) = (
        line.split()[1]
        for line in Path("/proc/self/status").read_text("utf-8").splitlines()
        if line.startswith("RssAnon")
    )
    del session  # it was needed until its memory had been measured
    return {"wall": wall, "cpu": cpu, "own": float(own) * 1024}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(start(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)))
    else:
        print(run_dynamic(), run_starts(), sep="\n\n")
