"""`all-minilm:int8` against `all-minilm`: what 8 bits gain, and what they cost.

Judged by paragraphs that the graph was not calibrated on. Run as `python -m benchmarks.int8`.
"""

import random
import statistics
import sys

from benchmarks.engine import seconds
from benchmarks.pairs import medians, table
from embedcli import load
from embedcli.quantize import texts
from embedcli.quantize.report import likeness

_NAMES = ("all-minilm", "all-minilm:int8")


def unseen(number: int) -> list[str]:
    """Return paragraphs of the standard library that `embed quantize` does not calibrate on."""
    found = texts.built_in()
    seen = texts.divided(found, source="", calibration=1000, held_out=1000).calibration
    left = sorted(set(found) - set(seen))
    random.Random(1).shuffle(left)
    return left[:number]


def run(number: int = 4000, timed: int = 1500, rounds: int = 3, starts: int = 11) -> str:
    """Return the table: cosines, and ratios of runs that alternate."""
    corpus = unseen(number)
    with load(_NAMES[0]) as exact, load(_NAMES[1]) as rough:
        found = likeness(exact.embed(corpus), rough.embed(corpus))
        some = corpus[:timed]
        pace = statistics.median(
            seconds(lambda: exact.embed(some)) / seconds(lambda: rough.embed(some))
            for _ in range(rounds)
        )
    command = [sys.executable, "-m", "embedcli", "text", "hello", "-m"]
    took = medians({name: [*command, name] for name in _NAMES}, rounds=starts)
    size = {name: load(name).spec.size for name in _NAMES}
    return table(
        ["`all-minilm:int8`", "`all-minilm` = 1"],
        [
            [f"throughput, {len(some)} paragraphs", f"{pace:.2f}"],
            ["time of `embed text hello`", f"{took[_NAMES[1]] / took[_NAMES[0]]:.2f}"],
            ["size", f"{size[_NAMES[1]] / size[_NAMES[0]]:.2f}"],
            [f"cosine, mean of {len(corpus)} paragraphs", f"{found.mean:.5f}"],
            ["cosine, first percentile", f"{found.first_percentile:.4f}"],
            ["cosine, worst", f"{found.worst:.4f}"],
            ["overlap of the ten nearest", f"{found.overlap:.3f}"],
        ],
    )


if __name__ == "__main__":
    print(run())
