"""A JSON object edited as it was spelled: what is not touched keeps its digits and its spaces."""

import re
from collections.abc import Iterator

import orjson

# Possessive, so that a string of 50 MB is matched without a memory of how.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]', re.DOTALL)


def members(raw: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, start, start of the value and end of each member of the valid object `raw`."""
    depth = 0
    start = colon = -1
    for token in _TOKEN.finditer(raw):
        kind = raw[token.start() : token.start() + 1]
        if kind in b"{[":
            depth += 1
        elif depth == 1 and kind == b'"' and start < 0:
            start, name = token.start(), token[0]
        elif depth == 1 and kind == b":":
            colon = token.end()
        elif kind in b"]}" or kind == b",":
            if depth == 1 and start >= 0:
                yield orjson.loads(name), start, colon, token.start()
                start = -1
            depth -= kind in b"]}"


def without(raw: bytes, path: str) -> bytes:
    """Return `raw` less its member `path`; `a.b` is the member `b` of the object `a`."""
    kept: list[bytes] = []
    head, dot, rest = path.partition(".")
    whole = any(name == path for name, *_ in members(raw))
    for name, start, value, end in members(raw):
        if whole and name == path:
            continue
        spelled = raw[start:end].rstrip()
        if not whole and dot and name == head and raw[value:end].lstrip().startswith(b"{"):
            spelled = raw[start:value] + without(raw[value:end].strip(), rest)
        kept.append(spelled)
    return b"{" + b",".join(kept) + b"}"


def around(raw: bytes, path: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the value of `path`, which is there."""
    spans = {name: (value, end) for name, _, value, end in members(raw)}
    if path in spans:
        value, end = spans[path]
        return raw[:value], raw[end:]
    head, _, rest = path.partition(".")
    value, end = spans[head]
    before, after = around(raw[value:end], rest)
    return raw[:value] + before, after + raw[end:]


def extended(raw: bytes, name: str) -> tuple[bytes, bytes]:
    """Return `raw` open at its end for the value of one more member, and what closes it."""
    return opened(raw) + orjson.dumps(name) + b":", b"}"


def opened(raw: bytes) -> bytes:
    """Return the object `raw` less its closing brace, ready for more members."""
    body = raw[:-1].rstrip()
    return body if body == b"{" else body + b","
