"""OpenAI's shapes for the same work, as Ollama's `/v1` answers them."""

import base64
from collections.abc import Sequence

import orjson

from embedcli.records import Embedded
from embedcli.server import gojson
from embedcli.server.gojson import Json
from embedcli.server.wire import Fields, Refusal

_ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
_FORMATS = {"": False, "float": False, "base64": True}


def given_input(fields: Fields) -> Json:
    """Return the input; unlike on `/api/embed` an empty string is a text, and none is an error.

    Raises:
        Refusal: 400.
    """
    value = fields.get("input")
    if value is None or value == []:
        raise Refusal(400, "invalid input")
    return [""] if value == "" else value


def wants_base64(fields: Fields) -> bool:
    """Tell whether the vectors go out as base64.

    Raises:
        Refusal: 400, `encoding_format` is neither that nor float.
    """
    given = fields.get("encoding_format", "")
    try:
        return _FORMATS[given.lower()]
    except KeyError:
        raise Refusal(
            400,
            f"Invalid value for 'encoding_format' = {given}. "
            "Supported values: ['float', 'base64'].",
        ) from None


def reply(model: str, results: Sequence[Embedded], *, as_base64: bool) -> bytes:
    """Return the reply of `/v1/embeddings`."""
    vectors = (_base64(result) if as_base64 else _floats(result) for result in results)
    data = b",".join(
        b'{"object":"embedding","embedding":%b,"index":%d}' % (vector, index)
        for index, vector in enumerate(vectors)
    )
    tokens = sum(result.tokens for result in results)
    tail = {"model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return b'{"object":"list","data":[%b],%b\n' % (data, gojson.write(tail)[1:])


def _floats(result: Embedded) -> bytes:
    return orjson.dumps(result.vector, option=orjson.OPT_SERIALIZE_NUMPY)


def _base64(result: Embedded) -> bytes:
    return b'"%b"' % base64.b64encode(result.vector.astype("<f4", copy=False).tobytes())


def error(status: int, message: str) -> dict[str, Json]:
    """Return OpenAI's error object."""
    kind = _ERROR_TYPES.get(status, "api_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
