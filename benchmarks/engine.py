"""What the engine adds to onnxruntime: to one short text, and to a long stream.

The bare loop runs the same graph over the same texts, tokenised beforehand and sorted by length as
a whole, on one thread for each core, in batches of the best of several sizes.
Run as `python -m benchmarks.engine`.
"""

import queue
import statistics
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.corpus import paragraphs
from benchmarks.pairs import table
from embedcli import Embedder, Options, load
from embedcli.engine import cores

_SHORT = "why is the sky blue?"
BUDGETS = (256, 512, 1024, 2048)  # tokens a batch
Batch = dict[str, NDArray[np.int64]]


def bare_session(embedder: Embedder) -> onnxruntime.InferenceSession:
    """Load the embedder's graph without the engine, for runs of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(embedder.spec.graph), options, providers=["CPUExecutionProvider"]
    )


def token_ids(embedder: Embedder, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Tokenise `texts` as the engine would."""
    limit = embedder.spec.max_tokens
    tokens = embedder.tokenizer.tokens
    return [tokens(text, prefix="", limit=limit, truncate=True, index=0).ids for text in texts]


def feed(ids: Sequence[NDArray[np.int64]]) -> Batch:
    """Return a batch of texts, padded to the longest of them."""
    longest = max(map(len, ids))
    padded = np.stack([np.pad(row, (0, longest - len(row))) for row in ids])
    mask = np.stack([np.arange(longest) < len(row) for row in ids]).astype(np.int64)
    return {"input_ids": padded, "attention_mask": mask}


def sorted_batches(ids: Sequence[NDArray[np.int64]], budget: int) -> list[Batch]:
    """Sort all texts by length, longest first, and cut them into batches of `budget` tokens."""
    batches: list[list[NDArray[np.int64]]] = []
    for row in sorted(ids, key=len, reverse=True):
        if not batches or (len(batches[-1]) + 1) * len(batches[-1][0]) > budget:
            batches.append([])
        batches[-1].append(row)
    return [feed(batch) for batch in batches]


def run_bare(session: onnxruntime.InferenceSession, batches: Sequence[Batch]) -> None:
    """Run all batches, on one thread for each core."""
    waiting: queue.SimpleQueue[Batch] = queue.SimpleQueue()
    for batch in batches:
        waiting.put(batch)

    def lane() -> None:
        while True:
            try:
                session.run(["last_hidden_state"], waiting.get_nowait())
            except queue.Empty:
                return

    threads = [threading.Thread(target=lane) for _ in range(cores.allowed())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run(texts: int = 1500, rounds: int = 3) -> str:
    """Return the table: medians of ratios of runs that alternate."""
    embedder, corpus = load(), paragraphs(texts)
    session = bare_session(embedder)
    ids = token_ids(embedder, corpus)
    short = feed(token_ids(embedder, [_SHORT]))
    by_budget = {budget: sorted_batches(ids, budget) for budget in BUDGETS}
    best = min(by_budget, key=lambda budget: seconds(lambda: run_bare(session, by_budget[budget])))
    latencies, streams = [], []
    for _ in range(rounds):
        bare = seconds(lambda: run_bare(session, by_budget[best]))
        streams.append(bare / seconds(lambda: list(embedder.stream(corpus, Options()))))
    for _ in range(rounds * 20):
        bare = seconds(lambda: session.run(["last_hidden_state"], short))
        latencies.append(seconds(lambda: embedder.embed([_SHORT])) / bare)
    rows = [
        [f"throughput of a stream of {texts} paragraphs", f"{statistics.median(streams):.2f}"],
        [
            "time for one short text, tokenised, pooled and normalised",
            f"{statistics.median(latencies):.2f}",
        ],
    ]
    return table(["engine", f"bare onnxruntime (best: {best} tokens a batch) = 1"], rows)


if __name__ == "__main__":
    print(run())
