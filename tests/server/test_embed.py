"""The contract of the three endpoints that embed, a row a case, on the model `colours`.

In `colours` the mean of `<s> red </s>` is (13, 12, 12) / 3.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import zstandard
from starlette.testclient import TestClient

from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from tests.server.conftest import client_of, store_of

RED = np.array([13, 12, 12], np.float32)

Body = Mapping[str, Any] | bytes


def post(client: TestClient, path: str, body: Body) -> tuple[int, Any]:
    """Return the status and the JSON of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post(path, content=content)
    assert answer.headers["content-type"].startswith("application/json")
    return answer.status_code, answer.json()


def unit(vector: Any) -> Any:  # noqa: ANN401
    return vector / np.linalg.norm(vector)


def test_a_text_gives_a_list_with_its_vector(client: TestClient) -> None:
    status, reply = post(client, "/api/embed", {"model": "colours", "input": "red"})
    assert status == 200
    assert list(reply) == [
        "model", "embeddings", "total_duration", "load_duration", "prompt_eval_count",
    ]  # fmt: skip
    assert (reply["model"], reply["prompt_eval_count"]) == ("colours", 3)
    assert reply["total_duration"] >= reply["load_duration"] > 0
    np.testing.assert_allclose(reply["embeddings"], [unit(RED)], rtol=1e-6)


def test_vectors_come_in_the_order_of_their_texts(client: TestClient) -> None:
    texts = ["red", "", "red green blue", " ", "red", "green"]
    _, reply = post(client, "/api/embed", {"model": "colours", "input": texts})
    alone = [
        post(client, "/api/embed", {"model": "colours", "input": [text]})[1]["embeddings"][0]
        for text in texts
    ]
    assert reply["embeddings"] == alone
    assert reply["prompt_eval_count"] == 3 + 2 + 5 + 2 + 3 + 3


NOTHING: list[Body] = [
    {"model": "colours"},
    {"model": "colours", "input": None},
    {"model": "colours", "input": ""},
    {"model": "colours", "input": []},
    {"model": "colours", "input": [], "keep_alive": "1h", "options": {"num_ctx": 1}},
]


@pytest.mark.parametrize("body", NOTHING, ids=str)
def test_no_input_loads_the_model_and_gives_no_vectors(client: TestClient, body: Body) -> None:
    assert post(client, "/api/embed", body) == (200, {"model": "colours", "embeddings": []})


KIND: dict[str, Body] = {
    "garbage after the value": b'{"model":"colours","input":"red"} garbage',
    "keys in any case": b'{"MODEL":"colours","Input":"red"}',
    "the last of a repeated key": b'{"model":"other","model":"colours","input":"red"}',
    "the last, in any case": b'{"model":"other","Model":"colours","input":"red"}',
    "null is nothing": {
        "model": "colours", "input": "red", "truncate": None, "dimensions": None,
        "keep_alive": None, "options": None,
    },
    "null does not undo": b'{"model":"colours","model":null,"input":"red"}',
    "unknown keys": {"model": "colours", "input": "red", "stream": 1, "format": [], "prompt": {}},
    "null and unknown options": {
        "model": "colours", "input": "red",
        "options": {"mirostat": None, "tfs_z": "x", "num_ctx": None, "stop": None},
    },
    "a fraction in an integer option": {
        "model": "colours", "input": "red", "options": {"num_ctx": 7.9, "seed": 1e3},
    },
    "a limit over the model's": {
        "model": "colours", "input": "red", "options": {"num_ctx": 40960},
    },
    "as many dimensions as there are": {"model": "colours", "input": "red", "dimensions": 3},
    "more": {"model": "colours", "input": "red", "dimensions": 4000},
    "no dimensions": {"model": "colours", "input": "red", "dimensions": 0},
    "fewer than none": {"model": "colours", "input": "red", "dimensions": -1},
    "our extension of a wrong type": {"model": "colours", "input": "red", "embedcli": [1]},
}  # fmt: skip


@pytest.mark.parametrize("case", KIND)
def test_what_is_odd_but_clear_is_served(client: TestClient, case: str) -> None:
    status, reply = post(client, "/api/embed", KIND[case])
    assert (status, reply.get("error")) == (200, None)
    np.testing.assert_allclose(reply["embeddings"], [unit(RED)], rtol=1e-6)


@pytest.mark.parametrize("asked", ["colours:latest", "COLOURS", " library/Colours:LATEST\n"])
def test_the_name_is_echoed_as_it_was_sent(client: TestClient, asked: str) -> None:
    _, reply = post(client, "/api/embed", {"model": asked, "input": "red"})
    assert reply["model"] == asked


def test_bad_bytes_in_a_text_become_replacement_marks(client: TestClient) -> None:
    bad = b'{"model":"colours","input":["red \xff","red \\udc00","red \\u0000"]}'
    _, reply = post(client, "/api/embed", bad)
    good = {"model": "colours", "input": ["red \ufffd", "red \ufffd", "red \0"]}
    assert reply["embeddings"] == post(client, "/api/embed", good)[1]["embeddings"]


def test_dimensions_cut_a_vector_to_a_unit_vector(client: TestClient) -> None:
    _, reply = post(client, "/api/embed", {"model": "colours", "input": "red", "dimensions": 2})
    np.testing.assert_allclose(reply["embeddings"], [unit(RED[:2])], rtol=1e-6)


def test_num_ctx_raises_the_limit_up_to_what_the_graph_takes(palette: Embedder) -> None:
    spec = replace(palette.spec, context=9)
    limits = Limits(tokens=32, texts=32)
    session = Session(spec, threads=1)
    wide = Embedder(spec, palette.tokenizer, lambda _: session, threads=1, limits=limits)
    counts = []
    with client_of(store_of(lambda _: wide)) as client:
        for more in ({}, {"num_ctx": 9}, {"num_ctx": 40960}):
            body = {"model": "colours", "input": LONG, "options": more}
            counts.append(post(client, "/api/embed", body)[1]["prompt_eval_count"])
    assert counts == [8, 9, 9]


LONG = "red green blue red green blue red green"  # ten tokens; the limit is eight


@pytest.mark.parametrize(
    ("more", "tokens", "same_as"),
    [
        ({}, 8, "red green blue red green blue"),
        ({"truncate": True}, 8, "red green blue red green blue"),
        ({"options": {"num_ctx": 3}}, 3, "red"),
        ({"options": {"num_ctx": 4096}}, 8, "red green blue red green blue"),
    ],
    ids=str,
)
def test_a_long_text_keeps_its_beginning(
    client: TestClient, more: dict[str, Any], tokens: int, same_as: str
) -> None:
    _, reply = post(client, "/api/embed", {"model": "colours", "input": LONG, **more})
    _, short = post(client, "/api/embed", {"model": "colours", "input": same_as})
    assert reply["prompt_eval_count"] == tokens
    assert reply["embeddings"] == short["embeddings"]


def test_a_text_of_just_the_limit_is_not_too_long(client: TestClient) -> None:
    body = {"model": "colours", "input": "red", "truncate": False, "options": {"num_ctx": 3}}
    assert post(client, "/api/embed", body)[0] == 200


TOO_LONG = "the input length exceeds the context length"
NO_ROOM = "input after truncation exceeds maximum context length"
NOT_CUT = "input exceeds maximum context length and cannot be truncated further"
STRUCT = "json: cannot unmarshal {} into Go struct field EmbedRequest.{} of type {}"
ERRORS: list[tuple[Body, int, str]] = [
    (b"", 400, "missing request body"),
    (b" \n", 400, "missing request body"),
    (b"{", 400, "unexpected EOF"),
    (b"[" * 100_000, 400, "invalid character '[' exceeded max depth"),
    (b'{"x":' + b"[" * 100_000, 400, "invalid character '[' exceeded max depth"),
    (b"[]", 400, "json: cannot unmarshal array into Go value of type api.EmbedRequest"),
    (b'"x"', 400, "json: cannot unmarshal string into Go value of type api.EmbedRequest"),
    (b"12", 400, "json: cannot unmarshal number into Go value of type api.EmbedRequest"),
    (b"true", 400, "json: cannot unmarshal bool into Go value of type api.EmbedRequest"),
    (b"null", 404, "model '' not found"),
    ({}, 404, "model '' not found"),
    ({"model": "  ", "input": "a"}, 404, "model '  ' not found"),
    ({"model": 1}, 400, STRUCT.format("number", "model", "string")),
    (b'{"Model": 1}', 400, STRUCT.format("number", "model", "string")),
    ({"model": "colours", "truncate": "yes"}, 400, STRUCT.format("string", "truncate", "bool")),
    ({"dimensions": "3"}, 400, STRUCT.format("string", "dimensions", "int")),
    ({"dimensions": True}, 400, STRUCT.format("bool", "dimensions", "int")),
    (b'{"dimensions": 3.0}', 400, STRUCT.format("number 3.0", "dimensions", "int")),
    (b'{"dimensions": 1e2}', 400, STRUCT.format("number 1e2", "dimensions", "int")),
    (
        b'{"dimensions": 99999999999999999999}',
        400,
        STRUCT.format("number 99999999999999999999", "dimensions", "int"),
    ),
    (b'{"dimensions": 9223372036854775808}', 400,
     STRUCT.format("number 9223372036854775808", "dimensions", "int")),
    ({"options": []}, 400, STRUCT.format("array", "options", "map[string]interface {}")),
    (b'{"input": 1e999}', 400, STRUCT.format("number 1e999", "input", "float64")),
    ({"model": 1, "truncate": 2}, 400, STRUCT.format("number", "model", "string")),
    ({"model": 1, "keep_alive": "10"}, 400, 'time: missing unit in duration "10"'),
    ({"keep_alive": "<b>"}, 400, 'time: invalid duration "<b>"'),
    ({"keep_alive": True}, 400, "Unsupported type: 'bool'"),
    ({"keep_alive": []}, 400, "Unsupported type: '[]interface {}'"),
    ({"model": "no such", "input": 1}, 400, "invalid model name"),
    ({"model": "../colours", "input": "a"}, 400, "invalid model name"),
    ({"model": "/etc/passwd", "input": "a"}, 400, "invalid model name"),
    ({"model": "x:cloud", "input": "a"}, 403,
     "ollama cloud is disabled: remote model is unavailable"),
    ({"model": "x:cloud:local"}, 400, 'use either :local or :cloud, not both: "x:cloud:local"'),
    ({"model": "other", "input": 1}, 400, "invalid input type"),
    ({"model": "colours", "input": {}}, 400, "invalid input type"),
    ({"model": "colours", "input": True}, 400, "invalid input type"),
    ({"model": "colours", "input": ["a", 1]}, 400, "invalid input type"),
    ({"model": "colours", "input": ["a", None]}, 400, "invalid input type"),
    ({"model": "colours", "input": [[1, 2]]}, 400, "invalid input type"),
    ({"model": "other", "input": "a", "options": {"num_ctx": "x"}}, 404,
     'model "other" not found, try pulling it first'),
    ({"model": "colours", "input": "a", "options": {"num_ctx": "3"}}, 500,
     'option "num_ctx" must be of type integer'),
    ({"model": "colours", "options": {"seed": True}}, 500,
     'option "seed" must be of type integer'),
    ({"model": "colours", "options": {"use_mmap": 1}}, 500,
     'option "use_mmap" must be of type boolean'),
    ({"model": "colours", "options": {"temperature": "0"}}, 500,
     'option "temperature" must be of type float32'),
    ({"model": "colours", "options": {"stop": "x"}}, 500, 'option "stop" must be of type array'),
    ({"model": "colours", "options": {"stop": [1]}}, 500,
     'option "stop" must be of an array of strings'),
    ({"model": "colours", "input": LONG, "truncate": False}, 400, TOO_LONG),
    ({"model": "colours", "input": ["red", LONG, "red"], "truncate": False}, 400, TOO_LONG),
    ({"model": "colours", "input": "red", "options": {"num_ctx": 2}}, 400, NO_ROOM),
    ({"model": "colours", "input": "red", "truncate": False, "options": {"num_ctx": 1}}, 400,
     NO_ROOM),
    ({"model": "colours", "input": LONG, "options": {"num_ctx": 0}}, 400, NOT_CUT),
    ({"model": "colours", "input": LONG, "options": {"num_ctx": -1}}, 400, NOT_CUT),
    ({"model": "colours", "input": LONG, "truncate": False, "options": {"num_ctx": 0}}, 400,
     TOO_LONG),
    ({"model": "colours", "input": ["red", "nan"]}, 400,
     "embedding contains NaN or Inf values"),
    ({"model": "colours", "input": ["red", "lost"]}, 500, "the model failed to run"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "error"), ERRORS, ids=range(len(ERRORS)))
def test_an_error_has_ollamas_status_and_words(
    client: TestClient, body: Body, status: int, error: str
) -> None:
    assert post(client, "/api/embed", body) == (status, {"error": error})


def test_a_text_of_few_tokens_fits_into_the_smallest_context(client: TestClient) -> None:
    body = {"model": "colours", "input": "red", "options": {"num_ctx": 0}}
    assert post(client, "/api/embed", body)[0] == 200


def test_error_texts_are_safe_in_html(client: TestClient) -> None:
    answer = client.post("/api/embed", content=b'{"keep_alive":"<&>"}')
    assert answer.content == rb'{"error":"time: invalid duration \"\u003c\u0026\u003e\""}'


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
def test_the_content_type_of_a_request_is_never_looked_at(client: TestClient, kind: str) -> None:
    body = b'{"model":"colours","input":"red"}'
    answer = client.post("/api/embed", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_our_extension_adds_receipts_and_takes_prompts(client: TestClient) -> None:
    ours = {"receipts": True, "prompt": "query", "normalize": False}
    body = {"model": "colours", "input": ["green", LONG], "embedcli": ours}
    _, reply = post(client, "/api/embed", body)
    assert (reply["tokens"], reply["truncated"]) == ([4, 8], [False, True])
    np.testing.assert_allclose(reply["embeddings"][0], [13 / 4, 14 / 4, 12 / 4])


def test_an_unknown_prompt_is_the_requests_fault(client: TestClient) -> None:
    body = {"model": "colours", "input": "a", "embedcli": {"prompt": "poem"}}
    status, reply = post(client, "/api/embed", body)
    assert (status, reply["error"]) == (400, "`colours` has no prompt `poem`: it has `query`")


# The legacy endpoint.


def test_the_old_endpoint_gives_one_vector_with_all_digits(client: TestClient) -> None:
    status, reply = post(client, "/api/embeddings", {"model": "colours", "prompt": "red"})
    expected = [float(np.float32(value)) for value in reply["embedding"]]
    assert (status, list(reply)) == (200, ["embedding"])
    assert reply["embedding"] == expected
    np.testing.assert_allclose(reply["embedding"], unit(RED), rtol=1e-6)


LEGACY: list[tuple[Body, int, Any]] = [
    ({}, 400, {"error": "model is required"}),
    ({"model": "a b"}, 400, {"error": "invalid model name"}),
    ({"model": "other"}, 404, {"error": 'model "other" not found, try pulling it first'}),
    ({"model": "COLOURS"}, 404, {"error": 'model "COLOURS" not found, try pulling it first'}),
    ({"model": "colours"}, 200, {"embedding": []}),
    ({"model": "colours", "prompt": None}, 200, {"embedding": []}),
    ({"model": "colours", "prompt": "", "input": "red"}, 200, {"embedding": []}),
    ({"model": "colours", "prompt": ["a"]}, 400, {"error": "json: cannot unmarshal array into "
     "Go struct field EmbeddingRequest.prompt of type string"}),
    ({"model": "colours", "prompt": LONG}, 500, {"error": TOO_LONG}),
    ({"model": "colours", "prompt": "nan"}, 500,
     {"error": "embedding contains NaN or Inf values"}),
    (b"[]", 400, {"error":
     "json: cannot unmarshal array into Go value of type api.EmbeddingRequest"}),
    (b"", 400, {"error": "missing request body"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "reply"), LEGACY, ids=range(len(LEGACY)))
def test_the_old_endpoint_keeps_its_own_rules(
    client: TestClient,
    body: Body,
    status: int,
    reply: Any,  # noqa: ANN401
) -> None:
    assert post(client, "/api/embeddings", body) == (status, reply)


# OpenAI's.


def test_openai_gets_its_own_shape(client: TestClient) -> None:
    answer = client.post("/v1/embeddings", json={"model": "Colours", "input": ["red", "green"]})
    reply = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.content.endswith(b"}\n")
    assert [row.pop("embedding")[:0] for row in reply["data"]] == [[], []]
    assert reply == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0}, {"object": "embedding", "index": 1}],
        "model": "Colours",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }


def test_base64_holds_the_very_float32_of_the_numbers(client: TestClient) -> None:
    body = {"model": "colours", "input": ["red"], "dimensions": 2}
    numbers = client.post("/v1/embeddings", json={**body, "encoding_format": "float"}).json()
    packed = client.post("/v1/embeddings", json={**body, "encoding_format": "BASE64"}).json()
    raw = base64.b64decode(packed["data"][0]["embedding"], validate=True)
    vector = np.array(numbers["data"][0]["embedding"], np.float32)
    assert raw == vector.astype("<f4").tobytes()


def test_openais_empty_string_is_a_text(client: TestClient) -> None:
    reply = client.post("/v1/embeddings", json={"model": "colours", "input": ""}).json()
    assert (len(reply["data"]), reply["usage"]["prompt_tokens"]) == (1, 2)


OPENAI: list[tuple[Body, int, str, str]] = [
    (b"", 400, "invalid_request_error", "EOF"),
    (b"{", 400, "invalid_request_error", "unexpected EOF"),
    (b"[]", 400, "invalid_request_error",
     "json: cannot unmarshal array into Go value of type openai.EmbedRequest"),
    ({"model": "other"}, 400, "invalid_request_error", "invalid input"),
    ({"model": "other", "input": []}, 400, "invalid_request_error", "invalid input"),
    ({"model": "other", "input": None}, 400, "invalid_request_error", "invalid input"),
    ({"model": "other", "input": [1, 2]}, 400, "invalid_request_error", "invalid input type"),
    ({"model": "colours", "input": [[1]]}, 400, "invalid_request_error", "invalid input type"),
    ({"model": "colours", "input": "a", "encoding_format": "hex"}, 400, "invalid_request_error",
     "Invalid value for 'encoding_format' = hex. Supported values: ['float', 'base64']."),
    ({"model": "colours", "input": "a", "encoding_format": 1}, 400, "invalid_request_error",
     "json: cannot unmarshal number into Go struct field EmbedRequest.encoding_format of type "
     "string"),
    ({"input": "a"}, 404, "not_found_error", "model '' not found"),
    ({"model": "other", "input": "a"}, 404, "not_found_error",
     'model "other" not found, try pulling it first'),
    ({"model": "colours", "input": "lost"}, 500, "api_error", "the model failed to run"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "kind", "message"), OPENAI, ids=range(len(OPENAI)))
def test_openais_errors_are_objects(
    client: TestClient, body: Body, status: int, kind: str, message: str
) -> None:
    error = {"message": message, "type": kind, "param": None, "code": None}
    assert post(client, "/v1/embeddings", body) == (status, {"error": error})


@pytest.mark.parametrize(
    ("packed", "status"),
    [
        (zstandard.compress(b'{"model":"colours","input":"red"}'), 200),
        (zstandard.compress(b" " * (20 * 2**20 + 1)), 413),
        (b"not zstd at all", 400),
    ],
    ids=["good", "a bomb", "damaged"],
)
def test_openais_clients_may_send_zstd(client: TestClient, packed: bytes, status: int) -> None:
    headers = {"Content-Encoding": "zstd"}
    assert client.post("/v1/embeddings", content=packed, headers=headers).status_code == status


def test_a_zstd_body_over_its_limit_is_told_that_limit(client: TestClient) -> None:
    packed = zstandard.compress(b" " * (20 * 2**20 + 1))
    answer = client.post("/v1/embeddings", content=packed, headers={"Content-Encoding": "zstd"})
    message = "request body too large: the limit is 20971520 bytes"
    assert answer.json()["error"]["message"] == message


def test_gzip_is_refused_as_go_would(client: TestClient) -> None:
    status, reply = post(client, "/api/embed", b"\x1f\x8b\x08\x00")
    error = "invalid character '\\x1f' looking for beginning of value"
    assert (status, reply) == (400, {"error": error})
