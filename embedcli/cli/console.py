"""Words for people, on standard error; data goes to standard output and never through here."""

import sys
from collections.abc import Sequence

# Said of a model whose vectors cannot be the same in any company.
DYNAMIC = (
    "this graph quantises as it runs, over a whole batch at once; so that a vector does not "
    "depend on other texts, each text runs alone"
)


def say(words: str) -> None:
    """Print a line for a person."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201


def say_if_typed(what: str, *, quiet: bool) -> None:
    """Tell a person at the terminal that the program waits for `what`, and not for itself."""
    if sys.stdin.isatty() and not quiet:
        say(f"reading {what} from the terminal, one a line; Ctrl-D ends")


def in_bytes(size: int) -> str:
    """Return a number of bytes for a person, in the units that disks are sold in."""
    for unit, below in (("B", 1e3), ("KB", 1e6), ("MB", 1e9)):
        if size < below:
            return f"{size / (below / 1e3):.{0 if unit == 'B' else 1}f} {unit}"
    return f"{size / 1e9:.2f} GB"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text under their heads, in columns as wide as they need."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
