"""Words for people, on standard error; data goes to standard output and never through here."""

import sys


def say(words: str) -> None:
    """Print a line for a person."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201
