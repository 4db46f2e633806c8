"""How far a long run has come: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedcli.cli.console import say

if TYPE_CHECKING:
    from embedcli.pipeline import Tally

_LINES = 5.0  # seconds between lines
_BAR = 0.1  # seconds between pictures of the bar


@contextmanager
def progress(
    size: int | None, *, wanted: bool, quiet: bool
) -> "Generator[Callable[[Tally], None]]":
    """Lend a function that shows the tally it is told; `size` is that of the inputs in bytes."""
    if quiet or not (wanted or sys.stderr.isatty()):
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar(size) as show:
            yield _every(_BAR, show)
    else:
        yield _every(_LINES, lambda tally: say(_words(tally, size)))


def _every(seconds: float, show: "Callable[[Tally], None]") -> "Callable[[Tally], None]":
    last = time.monotonic()

    def report(tally: "Tally") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds:
            last = now
            show(tally)

    return report


@contextmanager
def _bar(size: int | None) -> "Generator[Callable[[Tally], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=size)
        yield lambda tally: bar.update(
            task, completed=tally.position, description=_words(tally, size)
        )


def _words(tally: "Tally", size: int | None) -> str:
    seconds = max(tally.seconds, 0.001)
    share = min(1.0, tally.position / size) if size else 0.0
    words = [
        f"{tally.rows:,} rows",
        *([f"{share:.0%}"] if size else []),
        f"{tally.rows / seconds:,.0f} rows/s",
        f"{tally.tokens / seconds:,.0f} tokens/s",
        *([f"{clock(seconds * (1 - share) / share)} left"] if share else []),
    ]
    return ", ".join(words)


def clock(seconds: float) -> str:
    """Return a time as a person would say it: `5.2 s`, `48 s`, `12 min`, `3 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
