# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy>=2.0", "onnxruntime>=1.32", "tokenizers>=0.22"]
# ///
"""Time ONNX graphs of one model side by side, in alternating runs, and print a table.

    python tools/compare_graphs.py TOKENIZER GRAPH...

Graphs take `input_ids` and `attention_mask`. Compare figures of one run only.
"""

import ast
import os
import random
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

TEXTS, TOKENS_PER_BATCH, TOKENS_PER_TEXT, ROUNDS = 1500, 512, 256, 7


def compare(tokenizer: Path, graphs: Sequence[Path]) -> None:
    """Print how fast each graph embeds, answers one text, and loads: medians over all rounds."""
    batches = list(token_batches(tokenizer))
    seen = [measure(path, batches) for _ in range(ROUNDS) for path in graphs]
    print("| graph | tokens/s | one text of 8 tokens, ms | load, ms |\n|---|---|---|---|")
    for place, path in enumerate(graphs):
        rows = seen[place :: len(graphs)]
        rate, latency, load = (median(column) for column in zip(*rows, strict=True))
        print(f"| {path.stem} | {rate:,.0f} | {latency * 1e3:.2f} | {load * 1e3:.0f} |")


def token_batches(path: Path) -> Iterator[NDArray[np.int64]]:
    """Cut paragraphs of real English prose into batches of one length."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_PER_TEXT)
    texts = sorted(paragraphs())
    encoded = tokenizer.encode_batch(random.Random(1).sample(texts, TEXTS))
    rows = sorted((encoding.ids for encoding in encoded), key=len, reverse=True)
    for length, alike in groupby(rows, key=len):
        block = np.array(list(alike), np.int64)
        size = TOKENS_PER_BATCH // length
        yield from (block[start : start + size] for start in range(0, len(block), size))


def paragraphs() -> set[str]:
    """Collect the paragraphs of the docstrings in Python's own library."""
    found: set[str] = set()
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = (ast.get_docstring(node) or "").split("\n\n")
                found.update(" ".join(part.split()) for part in text)
    return {text for text in found if len(text) > 20}


def measure(path: Path, batches: Sequence[NDArray[np.int64]]) -> tuple[float, float, float]:
    """Return tokens per second over all cores, and the seconds of one short text and of a load."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel over batches instead
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    load = time.perf_counter() - start

    def run(ids: NDArray[np.int64]) -> float:
        begin = time.perf_counter()
        session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return time.perf_counter() - begin

    short = np.full((1, 8), 2000)
    latency = median(run(short) for _ in range(50))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        start = time.perf_counter()
        list(workers.map(run, batches))
        rate = sum(ids.size for ids in batches) / (time.perf_counter() - start)
    return rate, latency, load


if __name__ == "__main__":
    compare(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
