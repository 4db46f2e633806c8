"""JSON as Go's `encoding/json` reads and words it, for the bodies that orjson refuses.

Clients match on Ollama's error texts, and those are Go's: the reader follows the states of Go's
`encoding/json/scanner.go` (https://go.dev/src/encoding/json/scanner.go). It keeps its own stack,
so 100,000 open brackets cost a loop and not the interpreter's recursion, and stops at the first
value, as Go's `Decoder` does.
"""

import codecs
import json
import re
from typing import Any, TypeAlias

import orjson

from embedcli.errors import InputError

MAX_DEPTH = 10_000  # Go's maxNestingDepth
MAX_VALUES = 200_000  # under a second of reading, and twice the longest list that is taken

_SPACE = re.compile(rb"[ \t\r\n]*+")
# Possessive, so that a string without an end is given up after one pass.
_TEXT = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_HEX = re.compile(rb"[0-9a-fA-F]*+")
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*+)")
_DIGITS = re.compile(rb"[0-9]++")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS = {ord("t"): (b"true", True), ord("f"): (b"false", False), ord("n"): (b"null", None)}
_QUOTED = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 92: r"\\"}


class Number(str):
    """A number as it was written, since Go's messages repeat the literal."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object's members in their order, repeated keys included."""


Json: TypeAlias = Any  # what orjson makes of a document
Value: TypeAlias = bool | str | Number | list[Any] | Members | None


class EmptyBody(InputError):
    """A body of nothing but white space."""


def _one_mark_a_byte(error: UnicodeError) -> tuple[str, int]:
    """Replace each bad byte by U+FFFD, as Go does, not each bad sequence, as Python does."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("go-utf8", _one_mark_a_byte)


def write(value: Json) -> bytes:
    """Return compact JSON with `<`, `>`, `&` and the line separators escaped, as Go writes it."""
    body = orjson.dumps(value).replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
    body = body.replace(b"&", b"\\u0026").replace(b"\xe2\x80\xa8", b"\\u2028")
    return body.replace(b"\xe2\x80\xa9", b"\\u2029")


def quote(text: str) -> str:
    """Return `text` as Go's `%q` prints it."""
    return '"' + "".join(r"\"" if sign == '"' else _quoted(sign) for sign in text) + '"'


def _quoted(sign: str) -> str:
    code = ord(sign)
    if code in _QUOTED:
        return _QUOTED[code]
    if sign.isprintable():
        return sign
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def read(body: bytes) -> Value:
    """Return the first JSON value of `body`; whatever follows it is not looked at.

    Raises:
        EmptyBody: there is no value at all.
        InputError: the value is not JSON; the text is Go's.
    """
    reader = _Reader(body)
    if reader.next_byte() is None:
        raise EmptyBody("EOF")
    open_values: list[list[Any]] = []
    keys: list[str] = []
    for _ in range(MAX_VALUES):
        value = reader.value(depth=len(open_values))
        if isinstance(value, list) and not reader.closes(value):
            open_values.append(value)
            if isinstance(value, Members):
                keys.append(reader.key())
            continue
        while open_values:
            reader.keep(value, open_values[-1], keys)
            if reader.goes_on(open_values[-1], keys):
                break
            value = open_values.pop()
        else:
            return value
    raise InputError("the request holds too many JSON values")


class _Reader:
    """A position in a body, and what Go says when the next byte does not fit."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def next_byte(self) -> int | None:
        """Return the next byte that is not white space, and stand on it; None at the end."""
        space = _SPACE.match(self._body, self._at)
        assert space is not None, "the pattern matches the empty string"
        self._at = space.end()
        return self._body[self._at] if self._at < len(self._body) else None

    def value(self, *, depth: int) -> Value:
        """Read a scalar, or the opening bracket of a list or object (which comes back empty)."""
        byte = self.next_byte()
        if byte in (ord("["), ord("{")):
            if depth >= MAX_DEPTH:
                raise self._unfit("exceeded max depth")
            self._at += 1
            return [] if byte == ord("[") else Members()
        if byte == ord('"'):
            return self._string()
        if byte in _WORDS:
            return self._word(*_WORDS[byte])
        if byte is not None and byte in b"-0123456789":
            return self._number()
        raise self._unfit("looking for beginning of value")

    def closes(self, value: list[Any]) -> bool:
        """Step over the bracket that closes the still empty `value`, if it comes next."""
        closed = self.next_byte() == (ord("}") if isinstance(value, Members) else ord("]"))
        self._at += closed
        return closed

    def keep(self, value: Value, parent: list[Any], keys: list[str]) -> None:
        """Put a finished `value` into the list or object around it."""
        parent.append((keys[-1], value) if isinstance(parent, Members) else value)

    def goes_on(self, parent: list[Any], keys: list[str]) -> bool:
        """Step over `,` (and the next key) and return True, or over the closing bracket."""
        byte = self.next_byte()
        members = isinstance(parent, Members)
        if byte not in ((ord(","), ord("}")) if members else (ord(","), ord("]"))):
            raise self._unfit(f"after {'object key:value pair' if members else 'array element'}")
        self._at += 1
        if members:
            keys.pop()
        if byte != ord(","):
            return False
        if members:
            keys.append(self.key())
        return True

    def key(self) -> str:
        """Read an object's key with its colon."""
        if self.next_byte() != ord('"'):
            raise self._unfit("looking for beginning of object key string")
        key = self._string()
        if self.next_byte() != ord(":"):
            raise self._unfit("after object key")
        self._at += 1
        return key

    def _string(self) -> str:
        start = self._at
        text = _TEXT.match(self._body, start)
        assert text is not None, "the caller has seen the opening quote"
        self._at = text.end()
        if self._body[self._at : self._at + 1] != b'"':
            raise self._broken_string()
        self._at += 1
        raw = self._body[start : self._at].decode("utf-8", "go-utf8")
        return _SURROGATE.sub("\ufffd", json.loads(raw)) if "\\" in raw else raw[1:-1]

    def _broken_string(self) -> InputError:
        if self._body[self._at : self._at + 1] != b"\\":
            return self._unfit("in string literal")
        self._at += 1
        if self._body[self._at : self._at + 1] != b"u":
            return self._unfit("in string escape code")
        digits = _HEX.match(self._body, self._at + 1)
        assert digits is not None, "the pattern matches the empty string"
        self._at = digits.end()
        return self._unfit("in \\u hexadecimal character escape")

    def _number(self) -> Number:
        start = self._at
        whole = _INTEGER.match(self._body, start)
        if whole is None:
            self._at += 1
            raise self._unfit("in numeric literal")
        self._at = whole.end()
        if self._body[self._at : self._at + 1] == b".":
            self._at += 1
            self._digits("after decimal point in numeric literal")
        if self._body[self._at : self._at + 1] in (b"e", b"E"):
            signed = self._body[self._at + 1 : self._at + 2] in (b"+", b"-")
            self._at += 2 if signed else 1
            self._digits("in exponent of numeric literal")
        return Number(self._body[start : self._at], "ascii")

    def _digits(self, context: str) -> None:
        digits = _DIGITS.match(self._body, self._at)
        if digits is None:
            raise self._unfit(context)
        self._at = digits.end()

    def _word(self, word: bytes, value: bool | None) -> bool | None:
        for expected in word:
            if self._body[self._at : self._at + 1] != bytes([expected]):
                name = word.decode()
                raise self._unfit(f"in literal {name} (expecting '{chr(expected)}')")
            self._at += 1
        return value

    def _unfit(self, context: str) -> InputError:
        """Say in Go's words that the byte at hand does not fit, or that the body ends here."""
        if self._at >= len(self._body):
            return InputError("unexpected EOF")
        sign = chr(self._body[self._at])
        shown = r"\'" if sign == "'" else _quoted(sign)
        return InputError(f"invalid character '{shown}' {context}")
