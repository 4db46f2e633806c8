"""Go's words on broken JSON, and Go's kindness to what is odd but whole."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedcli.errors import InputError
from embedcli.server import gojson

SYNTAX_ERRORS = {
    b"{": "unexpected EOF",
    b'{"model":"a"': "unexpected EOF",
    b'"abc': "unexpected EOF",
    b'"abc\\': "unexpected EOF",
    b"-": "unexpected EOF",
    b"1e+": "unexpected EOF",
    b"tru": "unexpected EOF",
    b'{"model":"a",}': "invalid character '}' looking for beginning of object key string",
    b"{'model':'a'}": "invalid character '\\'' looking for beginning of object key string",
    b"{1:2}": "invalid character '1' looking for beginning of object key string",
    b"not json": "invalid character 'o' in literal null (expecting 'u')",
    b"falsy": "invalid character 'y' in literal false (expecting 'e')",
    b"NaN": "invalid character 'N' looking for beginning of value",
    b"[1,]": "invalid character ']' looking for beginning of value",
    b'"a\tb"': "invalid character '\\t' in string literal",
    b'"a\x01b"': "invalid character '\\x01' in string literal",
    b'"\\q"': "invalid character 'q' in string escape code",
    b'"\\u12g4"': "invalid character 'g' in \\u hexadecimal character escape",
    b'{"a" 1}': "invalid character '1' after object key",
    b'{"a":1 "b"}': "invalid character '\"' after object key:value pair",
    b"[1 2]": "invalid character '2' after array element",
    b"[01]": "invalid character '1' after array element",
    b"-x": "invalid character 'x' in numeric literal",
    b"1.x": "invalid character 'x' after decimal point in numeric literal",
    b"1ex": "invalid character 'x' in exponent of numeric literal",
    b"\xef\xbb\xbf{}": "invalid character 'ï' looking for beginning of value",
    b"\x1f\x8b\x08": "invalid character '\\x1f' looking for beginning of value",
    b"[" * 100_000: "invalid character '[' exceeded max depth",
    b'{"a":' * 100_000: "invalid character '{' exceeded max depth",
}


@pytest.mark.parametrize("body", SYNTAX_ERRORS, ids=lambda body: repr(body[:14]))
def test_a_syntax_error_is_told_in_the_words_of_go(body: bytes) -> None:
    with pytest.raises(InputError) as error:
        gojson.read(body)
    assert str(error.value) == SYNTAX_ERRORS[body]


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_no_value_at_all_is_an_error_of_its_own(body: bytes) -> None:
    with pytest.raises(gojson.EmptyBody):
        gojson.read(body)


def test_what_follows_the_first_value_is_not_looked_at() -> None:
    assert gojson.read(b'{"a": [true, null]} garbage') == [("a", [True, None])]


def test_bad_bytes_and_lone_surrogates_become_replacement_marks() -> None:
    assert gojson.read(b'"\\ud800x\xe2\x82\xff\\udc00\\ud83d\\ude00"') == "�x����😀"


def test_nesting_as_deep_as_go_allows_is_read() -> None:
    value = gojson.read(b"[" * 10_000 + b"]" * 10_000)
    assert isinstance(value, list)


def test_a_body_of_ever_more_values_is_given_up() -> None:
    with pytest.raises(InputError, match="too many JSON values"):
        gojson.read(b"[" + b"1," * 5_000_000)


def plain(value: gojson.Value) -> Any:  # noqa: ANN401
    """Return what `json.loads` would have made of it."""
    if isinstance(value, gojson.Number):
        return json.loads(value)
    if isinstance(value, gojson.Members):
        return {key: plain(member) for key, member in value}
    members: list[Any] = value if isinstance(value, list) else []
    return [plain(member) for member in members] if isinstance(value, list) else value


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)  # fmt: skip


@given(documents, st.booleans())
def test_valid_json_is_read_as_by_the_standard_library(document: Any, ascii_only: bool) -> None:  # noqa: ANN401
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert plain(gojson.read(body)) == document


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0eE+-.truefalsn ').map(str.encode))
def test_any_bytes_are_a_value_or_an_input_error(body: bytes) -> None:
    with contextlib.suppress(InputError):
        gojson.read(body)


def test_what_is_written_holds_no_html() -> None:
    assert gojson.write({"error": "<&>\u2028"}) == b'{"error":"\\u003c\\u0026\\u003e\\u2028"}'


def test_a_quoted_name_escapes_as_go_does() -> None:
    assert gojson.quote('a"\\\n\x01é\u0085') == '"a\\"\\\\\\n\\x01é\\u0085"'
