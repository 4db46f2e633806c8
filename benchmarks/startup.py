"""How long a first vector takes, against a bare process that does nothing else.

The bare process imports onnxruntime and tokenizers, loads the same tokenizer and the same graph,
and runs it once. Run as `python -m benchmarks.startup`.
"""

import sys
from pathlib import Path

import embedcli
from benchmarks.pairs import medians, table

_FOLDER = Path(embedcli.__file__).parent / "models" / "bundled" / "all-minilm"

_BARE = f"""
import numpy, onnxruntime, tokenizers
tokenizer = tokenizers.Tokenizer.from_file({str(_FOLDER / "tokenizer.json")!r})
tokenizer.no_padding()
graph = {str(_FOLDER / "onnx" / "model.onnx")!r}
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
ids = numpy.array([tokenizer.encode("hello").ids])
session.run(None, dict(input_ids=ids, attention_mask=ids * 0 + 1))
"""


def run(rounds: int = 15) -> str:
    """Return the table: medians of alternating runs, and their ratio to the bare process."""
    python = sys.executable
    seconds = medians(
        {
            "bare onnxruntime": [python, "-c", _BARE],
            "`embed text hello`": [python, "-m", "embedcli", "text", "hello"],
            "`embed --help`": [python, "-m", "embedcli", "--help"],
            "`python -c pass`": [python, "-c", "pass"],
        },
        rounds=rounds,
    )
    bare = seconds["bare onnxruntime"]
    rows = [[name, f"{taken / bare:.2f}"] for name, taken in seconds.items()]
    return table(["start-up", "time, bare = 1"], rows)


if __name__ == "__main__":
    print(run())
