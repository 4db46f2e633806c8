"""Every error, also one yet to be written, has an exit code."""

from collections.abc import Iterator

import pytest

from embedcli import errors
from embedcli.cli.main import EXIT_CODES
from tests.conftest import embed


def kinds(parent: type[errors.EmbedError]) -> Iterator[type[errors.EmbedError]]:
    for kind in parent.__subclasses__():
        if kind.__module__ != errors.__name__:
            continue  # the server's own, which never reach the command line
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds(errors.EmbedError)))
def test_every_error_has_an_exit_code(kind: type[errors.EmbedError]) -> None:
    assert EXIT_CODES.keys() & set(kind.__mro__)


def test_the_closest_ancestor_decides() -> None:
    codes = {errors.EmbedError: 1, errors.ModelError: 4}
    assert errors.code_for(errors.ModelNotFound("x"), codes) == 4
    assert errors.code_for(errors.OutputError("x"), codes) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        ("text --colour", "no such option: --colour", "see embed text --help"),
        ("file", "missing argument 'INPUT'", "see embed file --help"),
        ("tex a", "no such command 'tex'. Did you mean 'text'?", "see embed --help"),
        ("cache", "missing command", "see embed cache --help"),
        ("text -d many a", "invalid value for '-d' / '--dimensions': ", "see embed text --help"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_an_error_like_any_other(
    arguments: str, error: str, hint: str
) -> None:
    run = embed(*arguments.split())
    told, next_step = run.err.splitlines()
    assert (run.code, run.out, next_step) == (2, b"", f"hint: {hint}")
    assert told.startswith(f"error: {error}")


def test_nothing_asked_for_shows_the_help_as_an_error() -> None:
    asked, nothing = embed("--help"), embed()
    assert (asked.code, asked.err) == (0, "")
    assert (nothing.code, nothing.out, nothing.err) == (2, b"", asked.out.decode())
