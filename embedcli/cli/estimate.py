"""What a run would take, from the beginning of its input and a few seconds of work."""

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import typer

from embedcli.cli.progress import clock

if TYPE_CHECKING:
    from embedcli.job import Job
    from embedcli.journal import Checkpoint

_SECONDS = 3.0  # of work, about
_FIRST = 32  # records at first, and twice as many each time


@dataclass
class _Meter:
    """A sink that only counts bytes."""

    size: int = 0
    due = False

    def append(self, part: bytes) -> None:
        self.size += len(part)

    def reject(self, line: bytes) -> None:
        """Nothing is kept."""

    def mark(self, checkpoint: "Checkpoint") -> None:
        """Nothing is kept."""


def say_estimate(job: "Job", size: int | None) -> None:
    """Embed the first records of a job, and print what all of it would take.

    Raises:
        InputError: a record cannot be read.
    """
    records, meter = job.records(), _Meter()
    begun = time.monotonic()
    sample = rows = tokens = cut = position = 0
    while time.monotonic() - begun < _SECONDS:
        many = _FIRST + sample
        tally = job.run(islice(records, many), meter, job.writer())
        sample += many
        rows, tokens, cut = rows + tally.rows, tokens + tally.tokens, cut + tally.cut
        if tally.rows + tally.rejects == 0:
            position = size or 0  # the sample is all there is
            break
        position = tally.position
    seconds = time.monotonic() - begun
    whole = position == size
    factor = 1.0 if whole or not (size and position) else size / position
    lines = {
        "rows": f"{rows * factor:,.0f}",
        "tokens": f"{tokens * factor:,.0f}",
        "cut": f"{cut / max(rows, 1):.1%} of the texts",
        "time": clock(seconds * factor),
        "memory": f"{_peak():,.0f} MB",
        "output": f"{meter.size * factor / 1e6:,.1f} MB",
        "from": "all of the input" if whole else f"the first {rows:,} rows",
    }
    if size is None:
        lines["from"] += ", since the size of the input is not known: these figures are theirs"
    for name, words in lines.items():
        typer.echo(f"{name:8}{words}")


def _peak() -> float:
    """Return the most memory that this process has had so far, in MB."""
    import sys

    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
