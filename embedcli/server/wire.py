"""The contract's shapes: bytes become a request, vectors become a reply.

Knows no model and no framework. Valid bodies are read by orjson; whatever it refuses, and whatever
has an odd field, is read again as Go would, for Go's words on it.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from embedcli.errors import EmbedError, InputError
from embedcli.records import Embedded, Vector
from embedcli.server import duration, gojson, names
from embedcli.server.gojson import Json

Fields = Mapping[str, Any]  # what a body said, by the field's name; null is the same as nothing

TOO_LONG = "the input length exceeds the context length"
NO_ROOM = "input after truncation exceeds maximum context length"
NOT_CUT = "input exceeds maximum context length and cannot be truncated further"
NOT_FINITE = "embedding contains NaN or Inf values"
BUSY = "server busy, please try again.  maximum pending requests exceeded"

# orjson builds some sixty bytes for each of these in a body; beyond, the slower reader counts.
_MOST_BRACKETS = 100_000


class Refusal(EmbedError):
    """A request that is answered with an error, in the contract's words."""

    def __init__(
        self, status: int, what: str, *, headers: Mapping[str, str] | None = None, reason: str = ""
    ) -> None:
        """Answer `status` with `what`; the log says `reason`, which quotes no request."""
        super().__init__(what)
        self.status = status
        self.headers = dict(headers or {})
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Struct:
    """The Go struct that Ollama reads a body into, since Go's messages name it."""

    name: str
    fields: Mapping[str, str]  # a field's Go type; `any` and `duration` check themselves
    empty: str = "missing request body"


_OPTIONS = "map[string]interface {}"
EMBED = Struct(
    "api.EmbedRequest",
    {
        "model": "string",
        "input": "any",
        "keep_alive": "duration",
        "truncate": "bool",
        "dimensions": "int",
        "options": _OPTIONS,
        "embedcli": "ours",
    },
)
LEGACY = Struct(
    "api.EmbeddingRequest",
    {
        "model": "string",
        "prompt": "string",
        "keep_alive": "duration",
        "options": _OPTIONS,
        "input": "any",  # Ollama does not know it here, nor do we, but our log can say so
    },
)
OPENAI = Struct(
    "openai.EmbedRequest",
    {"model": "string", "input": "any", "dimensions": "int", "encoding_format": "string"},
    empty="EOF",
)
SHOW = Struct("api.ShowRequest", {"model": "string", "name": "string", "verbose": "bool"})
PULL = Struct("api.PullRequest", {"model": "string", "name": "string", "stream": "bool"})
DELETE = Struct("api.DeleteRequest", {"model": "string", "name": "string"})
GENERATE = Struct(
    "api.GenerateRequest", {"model": "string", "prompt": "string", "keep_alive": "duration"}
)
CHAT = Struct("api.ChatRequest", {"model": "string", "messages": "any", "keep_alive": "duration"})

_PYTHON_TYPES = {"string": str, "bool": bool, "int": int, _OPTIONS: dict}
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def decode(struct: Struct, body: bytes) -> Fields:
    """Return the fields of `body` that `struct` knows, each of its type, without the nulls.

    Raises:
        Refusal: 400, the body is not JSON or a field is of the wrong type; the text is Go's.
    """
    if body.count(b"[") + body.count(b"{") <= _MOST_BRACKETS:
        with suppress(orjson.JSONDecodeError, InputError):
            value = orjson.loads(body)
            if isinstance(value, dict) and _is_plain(struct, value):
                return _fields(struct, value)
    return _decode_as_go(struct, body)


def _is_plain(struct: Struct, members: dict[str, Any]) -> bool:
    """Tell whether every member has its exact name and type, so that Go would not object."""
    for key, value in members.items():
        kind = struct.fields.get(key)
        if kind is None:
            if key.casefold() in struct.fields:
                return False
        elif not _is_exactly(kind, value):
            return False
    return True


def _is_exactly(kind: str, value: Json) -> bool:
    if kind == "int":
        return type(value) is int and value <= _INT_MAX
    return value is not None and type(value) is _PYTHON_TYPES.get(kind, type(value))


def _fields(struct: Struct, members: dict[str, Any]) -> Fields:
    """Return the plain `members` that `struct` knows, a `keep_alive` in seconds.

    Raises:
        InputError: it is no duration.
    """
    return {
        name: duration.from_json(members[name]) if kind == "duration" else members[name]
        for name, kind in struct.fields.items()
        if name in members
    }


def _decode_as_go(struct: Struct, body: bytes) -> Fields:
    try:
        return _fields_as_go(struct, gojson.read(body))
    except gojson.EmptyBody as error:
        raise Refusal(400, struct.empty) from error
    except InputError as error:
        raise Refusal(400, str(error)) from error


def _fields_as_go(struct: Struct, value: gojson.Value) -> Fields:
    """Return the fields of a body as Go's `Unmarshal` would fill them.

    A key may be in any case, the last of several wins, null changes nothing. Of several errors
    that of a `keep_alive` wins, since its reader stops Go's; then the first.

    Raises:
        InputError: the text is Go's.
    """
    if value is None:
        return {}
    if not isinstance(value, gojson.Members):
        raise InputError(_mismatch(value, f"value of type {struct.name}"))
    fields: dict[str, Any] = {}
    first_error = None
    for key, member in value:
        name = key if key in struct.fields else key.casefold()
        kind = struct.fields.get(name)
        if kind is None or member is None:
            continue
        if kind == "duration":
            fields[name] = duration.from_json(_shallow(member))
            continue
        try:
            fields[name] = _typed(struct, name, kind, member)
        except InputError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return fields


def _typed(struct: Struct, name: str, kind: str, value: gojson.Value) -> Json:
    field = f"struct field {struct.name.rpartition('.')[2]}.{name} of type"
    if kind == "int":
        if isinstance(value, gojson.Number) and value.lstrip("-").isdigit():
            number = int(value) if len(value) <= 20 else _INT_MAX + 1
            if _INT_MIN <= number <= _INT_MAX:
                return number
        literal = f" {value}" if isinstance(value, gojson.Number) else ""
        raise InputError(_mismatch(value, f"{field} int", literal=literal))
    plain = _shallow(value)
    if _is_infinite(plain):
        raise InputError(_mismatch(value, f"{field} float64", literal=f" {value}"))
    if kind in _PYTHON_TYPES and type(plain) is not _PYTHON_TYPES[kind]:
        raise InputError(_mismatch(value, f"{field} {kind}"))
    return plain


def _is_infinite(plain: Json) -> bool:
    return isinstance(plain, float) and math.isinf(plain)


def _mismatch(value: gojson.Value, target: str, *, literal: str = "") -> str:
    kinds = {gojson.Members: "object", list: "array", gojson.Number: "number", bool: "bool"}
    return f"json: cannot unmarshal {kinds.get(type(value), 'string')}{literal} into Go {target}"


def _shallow(value: gojson.Value, depth: int = 2) -> Json:
    """Return `value` as orjson would have, but for what lies deeper than anyone looks."""
    if isinstance(value, gojson.Number):
        return float(value)
    if isinstance(value, gojson.Members):
        return {key: _shallow(member, depth - 1) for key, member in value} if depth else {}
    if isinstance(value, list):
        members: list[Json] = value
        return [_shallow(member, depth - 1) for member in members] if depth else []
    return value


def model_name(fields: Fields, *, empty: Refusal) -> names.Name:
    """Return the model's name.

    Raises:
        Refusal: `empty` where there is none, 400 or 403 where it cannot name a model of ours.
    """
    text = fields.get("model", "")
    if names.is_empty(text):
        raise empty
    if names.is_remote(text):
        if ":local" in text.lower():
            raise Refusal(400, f'use either :local or :cloud, not both: "{text}"')
        raise Refusal(403, "ollama cloud is disabled: remote model is unavailable")
    name = names.parse(text)
    if name is None:
        raise Refusal(400, "invalid model name")
    return name


def texts(value: Json) -> list[str]:
    """Return the texts of an `input`; none for null and the empty string.

    Raises:
        Refusal: 400, it is neither a string nor a list of strings.
    """
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return value
    raise Refusal(400, "invalid input type")


_NUMERIC = {"integer", "float32"}
_OPTION_TYPES = {
    **dict.fromkeys(
        ("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict"),
        "integer",
    ),
    **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), "integer"),
    **dict.fromkeys(("top_p", "min_p", "typical_p", "temperature", "repeat_penalty"), "float32"),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), "float32"),
    "use_mmap": "boolean",
    "stop": "array",
}


def num_ctx(fields: Fields) -> int | None:
    """Return the limit in tokens that the request's `options` set, after checking all of them.

    Raises:
        Refusal: 500 (Ollama's status), an option is of the wrong type.
    """
    options = fields.get("options") or {}
    for name, value in options.items():
        wanted = _OPTION_TYPES.get(name)
        if wanted and value is not None and not _is_option(wanted, value):
            raise Refusal(500, f'option "{name}" must be of type {wanted}')
        if name == "stop" and value and not all(isinstance(word, str) for word in value):
            raise Refusal(500, f'option "{name}" must be of an array of strings')
    wanted_tokens = options.get("num_ctx")
    return None if wanted_tokens is None else int(min(max(wanted_tokens, _INT_MIN), _INT_MAX))


def _is_option(wanted: str, value: Json) -> bool:
    if wanted in _NUMERIC:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool if wanted == "boolean" else list)


@dataclass(frozen=True, slots=True)
class Extension:
    """What our own client may ask for in the member `embedcli`, which Ollama would ignore."""

    prompt: str | None = None
    prefix: str | None = None
    normalize: bool = True
    receipts: bool = False  # tokens and truncation of every text


def extension(fields: Fields) -> Extension:
    """Return the member `embedcli`; what is of the wrong type is as if absent."""
    ours = fields.get("embedcli")
    ours = ours if isinstance(ours, dict) else {}
    prompt, prefix = ours.get("prompt"), ours.get("prefix")
    return Extension(
        prompt if isinstance(prompt, str) else None,
        prefix if isinstance(prefix, str) else None,
        normalize=ours.get("normalize") is not False,
        receipts=ours.get("receipts") is True,
    )


def receipts(results: Sequence[Embedded]) -> bytes:
    """Return the members that `Extension.receipts` adds to a reply's end, after a comma."""
    told = {
        "tokens": [result.tokens for result in results],
        "truncated": [result.truncated for result in results],
    }
    return b"," + orjson.dumps(told)[1:]


def legacy_reply(vector: Vector | None) -> bytes:
    """Return the reply of `/api/embeddings`, whose floats have all the digits of a float64."""
    if vector is None:
        return b'{"embedding":[]}'
    return orjson.dumps({"embedding": vector.astype(np.float64)}, option=orjson.OPT_SERIALIZE_NUMPY)
