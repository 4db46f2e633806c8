"""Make the model inside the package in 8 bits, by the command that everybody has.

    python tools/make_int8.py

Needs this project with its extra `quantize`. The graph is made from that of make_all_minilm.py, and
calibrated on the docstrings of Python's standard library: the same Python gives the same bytes
(3.11.7 those in the package). Beside it go the vectors that it gave here for the texts of
golden.json, by which `embed verify all-minilm:int8` knows a processor that computes it otherwise.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from embedcli import Embedder, load
from embedcli.models import golden

BUNDLE = Path(__file__).parents[1] / "embedcli/models/bundled/all-minilm"
GRAPH = BUNDLE / "onnx/model_int8.onnx"
# Integers are added without loss everywhere; what differs is float32, in its last bits, and then
# now and then the level that a number is rounded to.
TOLERANCE = 5e-3


def quantised() -> bytes:
    """Return the graph in 8 bits, and print the report of what that cost."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "made")
        command = [sys.executable, "-m", "embedcli", "quantize", "all-minilm", "-o", str(made)]
        subprocess.run(command, check=True)
        return (made / "onnx/model.onnx").read_bytes()


def reference(embedder: Embedder) -> dict[str, object]:
    """Return the vectors of the texts of golden.json."""
    texts = [known.text for known in golden.beside(BUNDLE, BUNDLE / "onnx/model.onnx")]
    rows = embedder.submit(texts).result()
    return {
        "says": "this graph, where it was made",
        "tolerance": TOLERANCE,
        "vector": "unit length, float32, little-endian, base64",
        "texts": [
            {
                "text": text,
                "tokens": row.tokens,
                "truncated": row.truncated,
                "vector": base64.b64encode(row.vector.astype("<f4").tobytes()).decode(),
            }
            for text, row in zip(texts, rows, strict=True)
        ],
    }


def main() -> None:
    """Write the graph and its reference."""
    graph = quantised()
    GRAPH.write_bytes(graph)
    print(f"{len(graph):,} bytes, sha256 {hashlib.sha256(graph).hexdigest()}")
    with load("all-minilm:int8") as embedder:
        document = reference(embedder)
    file = GRAPH.with_suffix(f".{golden.FILE}")
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
