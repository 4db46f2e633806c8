"""What a person sees of a model that comes from the hub: what, how much, and how far."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from embedcli.cli.console import in_bytes, say

if TYPE_CHECKING:
    from embedcli.models.store import Plan, Report


@contextmanager
def shown(plan: "Plan") -> "Iterator[Report]":
    """Say what is fetched and how much; on a terminal, show how far it has come."""
    repo = plan.reference.repo
    say(f"fetching {plan.reference.name}: {in_bytes(plan.size)} from {repo} ({plan.graph})")
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar(plan.size) as report:
        yield report


@contextmanager
def _bar(size: int) -> Iterator[Callable[[int], None]]:
    """Show one bar in bytes until the end of the block."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size)
        yield lambda come: progress.update(task, completed=min(come, size))
