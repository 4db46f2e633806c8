"""How long a model is to stay."""

import math

import pytest

from embedcli.errors import InputError
from embedcli.server import duration

SECONDS = {
    "5m": 300, "1h30m": 5400, "1.5h": 5400, "300ms": 0.3, "+5s": 5, "0": 0, "0s": 0, "-0": 0,
    "1us": 1e-6, "1µs": 1e-6, ".5s": 0.5, "1.s": 1, "2540400h": 2540400 * 3600,
}  # fmt: skip
FOR_EVER = ["-1m", "-1s", -1, -0.5, 1e10, 2**62]
ERRORS = {
    "10": 'time: missing unit in duration "10"',
    "-1": 'time: missing unit in duration "-1"',
    "1d": 'time: unknown unit "d" in duration "1d"',
    "1h 2m": 'time: unknown unit "h " in duration "1h 2m"',
    "abc": 'time: invalid duration "abc"',
    "": 'time: invalid duration ""',
    ".": 'time: invalid duration "."',
    "+": 'time: invalid duration "+"',
    "é": 'time: invalid duration "\\xc3\\xa9"',
    '"': 'time: invalid duration "\\""',
    "999999999h": 'time: invalid duration "999999999h"',
    "9" * 5000 + "s": f'time: invalid duration "{"9" * 5000}s"',
}


@pytest.mark.parametrize("text", SECONDS)
def test_a_duration_of_go_is_so_many_seconds(text: str) -> None:
    assert duration.from_json(text) == SECONDS[text]


@pytest.mark.parametrize("value", [0, 0.5, 10, 300])
def test_a_number_is_seconds(value: float) -> None:
    assert duration.from_json(value) == value


@pytest.mark.parametrize("value", FOR_EVER)
def test_what_is_negative_or_past_292_years_is_for_ever(value: str | float) -> None:
    assert duration.from_json(value) == math.inf


@pytest.mark.parametrize("text", ERRORS)
def test_what_is_no_duration_is_told_in_the_words_of_go(text: str) -> None:
    with pytest.raises(InputError) as error:
        duration.from_json(text)
    assert str(error.value) == ERRORS[text]


@pytest.mark.parametrize(
    ("value", "kind"), [(True, "bool"), ([], "[]interface {}"), ({}, "map[string]interface {}")]
)
def test_other_types_are_named_as_go_names_them(value: object, kind: str) -> None:
    with pytest.raises(InputError, match="Unsupported type") as error:
        duration.from_json(value)
    assert str(error.value) == f"Unsupported type: '{kind}'"


@pytest.mark.parametrize(("text", "seconds"), [("10", 10), ("-1", math.inf), ("0", 0), ("2m", 120)])
def test_an_option_may_be_a_bare_number(text: str, seconds: float) -> None:
    assert duration.from_option(text) == seconds
