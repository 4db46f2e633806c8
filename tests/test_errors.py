"""Every error, also one yet to be written, has an exit code."""

from collections.abc import Iterator

import pytest

from embedcli import errors
from embedcli.cli.main import EXIT_CODES


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
