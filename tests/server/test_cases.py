"""Ollama's own test cases for all-minilm, run as its integration tests run them.

The figures of `ollama_cases.json` are from Ollama's MIT-licensed tests (`integration/embed_test.go`
and others at commit fb30760); the file says which case is whose.
"""

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.server.conftest import Server

FILE = json.loads((Path(__file__).parent / "ollama_cases.json").read_text("utf-8"))
CASES: dict[str, Any] = {case["id"]: case for case in FILE["cases"]}


def expanded(text: Any) -> Any:  # noqa: ANN401
    """Return an input with the file's shorthands for long texts written out."""
    match text:
        case {"repeat": part, "times": times}:
            return part * times
        case {"join": part, "with": glue, "times": times}:
            return glue.join([part] * times)
        case list():
            return [expanded(part) for part in text]
    return text


def ask(server: Server, case: Any) -> tuple[int, Any]:  # noqa: ANN401
    body = {key: expanded(value) for key, value in case["request"].items()}
    connection = http.client.HTTPConnection(server.host, server.port)
    connection.request("POST", case["endpoint"], json.dumps(body))
    response = connection.getresponse()
    reply = json.loads(response.read())
    connection.close()
    return response.status, reply


def cosine(one: Any, other: Any) -> float:  # noqa: ANN401
    a, b = np.array(one), np.array(other)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def rows(reply: Any) -> list[Any]:  # noqa: ANN401
    return reply["embeddings"] if "embeddings" in reply else [reply["embedding"]]


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_ollamas(server: Server, name: str) -> None:
    expect = CASES[name]["expect"]
    status, reply = ask(server, CASES[name])
    assert status == expect["status"]
    assert reply.get("error") == expect.get("error")
    if "prompt_eval_count" in expect:
        assert reply["prompt_eval_count"] == expect["prompt_eval_count"]
    if "count" in expect:
        assert len(reply["embeddings"]) == expect["count"]
    for place, vector in enumerate(expect.get("vectors", ())):
        assert cosine(rows(reply)[place], FILE["vectors"][vector]) >= 0.99
    if "same_as" in expect:
        other = ask(server, CASES[expect["same_as"]])[1]
        assert cosine(rows(reply)[0], rows(other)[0]) >= 0.999
    if expect.get("triple"):
        a, b, c = (np.array(row) for row in rows(reply))
        assert cosine(a, b) > cosine(a, c)
        for order in (1, 2):
            assert np.linalg.norm(a - b, order) < np.linalg.norm(a - c, order)
