"""`embed file` against the limits of the machine and against others; and how much memory it takes.

Ours is all that the command does after its start-up: a JSONL file is read, and a JSONL file with
vectors is written, synced and renamed. The bare loop is that of `benchmarks.engine`: the same graph
over the same texts, tokenised and sorted as a whole beforehand, nothing read and nothing written.
The others are run where $RIVALS_PYTHON is an interpreter that has them (`benchmarks.rivals`).
Run as `python -m benchmarks.file`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import rivals
from benchmarks.corpus import paragraphs
from benchmarks.engine import BUDGETS, bare_session, run_bare, seconds, sorted_batches, token_ids
from benchmarks.pairs import table
from embedcli import Embedder, Options, load
from embedcli.engine import cores
from embedcli.formats.inputs import Reading
from embedcli.formats.shape import Shape
from embedcli.job import Job, to_file

_MATRIX = 2048  # rows and columns of the product that stands for the machine's peak
_MB = 1_000_000


def speed(texts: int = 1000, rounds: int = 3) -> str:
    """Return the table of throughputs: medians of ratios of runs that alternate."""
    embedder, small = load(), load("all-minilm:int8")
    corpus = _uncut(embedder, paragraphs(texts))
    with tempfile.TemporaryDirectory() as name, ExitStack() as rest:
        folder = Path(name)
        ours, int8 = (_ours(model, corpus, folder) for model in (embedder, small))
        bare, budget = _bare(embedder, corpus)
        others = _rivals(embedder, corpus, folder, rest)
        ours(), int8(), bare()
        ratios: dict[str, list[tuple[float, float]]] = {}
        for _ in range(rounds):
            own, fast = seconds(ours), seconds(int8)
            peak = max(_matrix_flops() for _ in range(3))
            times = {
                f"bare onnxruntime, float32, best batches ({budget} tokens)": bare(),
                "the float32 matrix-product peak": _flops(embedder, corpus) / peak,
                "`all-minilm`": own,
                **{other: run() for other, run in others.items()},
            }
            for label, took in times.items():
                ratios.setdefault(label, []).append((took / own, took / fast))
    rows = [
        [label, *(f"{statistics.median(way):.2f}" for way in zip(*found, strict=True))]
        for label, found in ratios.items()
    ]
    rows += [[name, "not here", "not here"] for name in rivals.LOAD if name not in ratios]
    head = f"throughput of `embed file`, {len(corpus)} paragraphs, {cores.allowed()} cores"
    return table([f"{head}; this = 1", "`all-minilm`", "`all-minilm:int8`"], rows)


def memory(lines: int = 1_000_000, line: int = 50 * _MB) -> str:
    """Return the table of peak memory: of few lines and many, and of a single long one.

    The many lines are drawn from few texts, so that the model has little to do: every one of them
    is read, tokenised, paired with its vector and written all the same.
    """
    texts = [text for text in paragraphs(200) if len(text) < 200][:50]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, number in [("few", 500), ("many", lines)]:
            with (folder / label).open("w", encoding="utf-8") as file:
                file.writelines(f"{texts[i % len(texts)]}\n" for i in range(number))
        sentence = "the quick brown fox jumps over the lazy dog. "
        (folder / "long").write_text(sentence * (line // len(sentence)))
        few = _peak(folder, "few")
        rows = [
            ["500 lines", f"{few:.0f} MB", ""],
            _grown(f"{lines:,} lines", _peak(folder, "many"), few),
            _grown(f"one line of {line / _MB:.0f} MB, cut", _peak(folder, "long"), few),
            _grown(
                f"one line of {line / _MB:.0f} MB, in windows",
                _peak(folder, "long", "--chunk", "256"),
                few,
            ),
        ]
    return table(["peak memory of `embed file`", "", "more than 500 lines"], rows)


def _uncut(embedder: Embedder, corpus: Sequence[str]) -> list[str]:
    """Return the texts within the model's limit: where others cut, if at all, is their own."""
    rows = embedder.tokenizer.tokens
    limit = embedder.spec.max_tokens
    return [
        text
        for text in corpus
        if not rows(text, prefix="", limit=limit, truncate=True, index=0).truncated
    ]


def _ours(embedder: Embedder, corpus: Sequence[str], folder: Path) -> Callable[[], object]:
    source = folder / "texts.jsonl"
    lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(corpus)]
    source.write_text("\n".join(lines), "utf-8")
    how = Reading()
    shape = Shape(how.selection())
    job = Job(
        [str(source)], how, embedder, embedder, Options(), shape, None, "jsonl", "float32", False
    )
    return lambda: to_file(job, folder / "vectors.jsonl", lambda _: None, restart=True)


def _bare(embedder: Embedder, corpus: Sequence[str]) -> tuple[Callable[[], float], int]:
    """Return the bare loop with the fastest of several batch sizes, and that size in tokens."""
    session, ids = bare_session(embedder), token_ids(embedder, corpus)
    batches = {budget: sorted_batches(ids, budget) for budget in BUDGETS}
    times = {size: seconds(lambda: run_bare(session, batches[size])) for size in batches}  # noqa: B023
    best = min(times, key=times.__getitem__)
    return lambda: seconds(lambda: run_bare(session, batches[best])), best


def _rivals(
    embedder: Embedder,
    corpus: Sequence[str],
    folder: Path,
    rest: ExitStack,
) -> dict[str, Callable[[], float]]:
    """Start each of the other libraries that are here, and return how to time it."""
    python = os.environ.get("RIVALS_PYTHON")
    if python is None:
        return {}
    texts = folder / "texts.json"
    texts.write_text(json.dumps(corpus), "utf-8")
    found: dict[str, Callable[[], float]] = {}
    for name in rivals.LOAD:
        command = [python, rivals.__file__, name, str(embedder.spec.folder), str(texts)]
        process = rest.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        rest.callback(process.stdin.close)
        if process.stdout.readline().strip() == "ready":
            found[name] = partial(_timed, process)
    return found


def _timed(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _matrix_flops() -> float:
    """Return how many float32 operations a second NumPy's matrix product does on all cores."""
    left = np.ones((_MATRIX, _MATRIX), np.float32)
    return 2 * _MATRIX**3 / seconds(lambda: left @ left)


def _flops(embedder: Embedder, corpus: Sequence[str]) -> float:
    """Return the operations of the model's matrix products for `corpus`: BERT's, by its config."""
    config = json.loads((embedder.spec.folder / "config.json").read_text("utf-8"))
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    total = 0
    for ids in token_ids(embedder, corpus):
        weights = 4 * hidden**2 + 2 * hidden * inner  # of a layer
        total += len(ids) * config["num_hidden_layers"] * 2 * (weights + 2 * len(ids) * hidden)
    return float(total)


# A process begins with the peak of the one that it was split off from: a small one starts it.
_LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak(folder: Path, source: str, *arguments: str) -> float:
    """Return the most memory, in MB, that a run over `source` has at any time."""
    out = ["-o", str(folder / f"{source}.npy"), "--dtype", "float16"]
    command = [sys.executable, "-m", "embedcli", "file", str(folder / source), "-q", *out]
    launcher = [sys.executable, "-c", _LAUNCHER, *command, *arguments]
    done = subprocess.run(launcher, check=True, stdout=subprocess.PIPE)
    return int(done.stdout) / (_MB if sys.platform == "darwin" else 1000)


def _grown(label: str, peak: float, few: float) -> list[str]:
    return [label, f"{peak:.0f} MB", f"{peak - few:+.0f} MB"]


if __name__ == "__main__":
    print(speed())
    print()
    print(memory())
