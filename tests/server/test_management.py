"""The endpoints around embedding, of a store with the model `colours`."""

import gc
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from embedcli.engine.embedder import Embedder
from embedcli.server.app import Settings
from embedcli.server.names import Name
from embedcli.server.store import Progress, ServedModel
from embedcli.server.wire import Refusal
from tests.server.conftest import client_of, store_of

Report = Callable[[Progress], None]

DETAILS = {
    "parent_model": "", "format": "onnx", "family": "bert", "families": ["bert"],
    "parameter_size": "0M", "quantization_level": "F32",
}  # fmt: skip
LISTED = {
    "name": "colours:latest",
    "model": "colours:latest",
    "size": 1234,
    "digest": "ab" * 32,
}


@pytest.mark.parametrize(
    ("path", "text"),
    [("/", "Ollama is running"), ("/api/version", '{"version":"0.33.0"}'),
     ("/health", '{"status":"ok"}'), ("/ready", '{"status":"ready"}')],
)  # fmt: skip
def test_a_probe_is_answered(client: TestClient, path: str, text: str) -> None:
    assert (client.get(path).status_code, client.get(path).text) == (200, text)
    assert client.head(path).status_code == 200


def test_a_server_is_ready_when_its_models_are_loaded(palette: Embedder) -> None:
    loaded = threading.Event()

    def load(_: ServedModel) -> Embedder:
        loaded.wait()
        return palette

    with client_of(store_of(load), Settings(preload=[Name("colours")])) as client:
        early = client.get("/ready")
        alive = client.get("/health")
        loaded.set()
        while client.get("/ready").status_code != 200:
            pass
    assert (early.status_code, early.text) == (503, '{"status":"not ready"}')
    assert alive.status_code == 200


def test_tags_list_names_with_their_tag(client: TestClient) -> None:
    assert client.get("/api/tags").json() == {
        "models": [
            {
                **LISTED,
                "modified_at": "2026-11-23T07:30:00+00:00",
                "details": {**DETAILS, "context_length": 8, "embedding_length": 3},
                "capabilities": ["embedding"],
            }
        ]
    }


def test_ps_tells_what_is_loaded_and_until_when(client: TestClient) -> None:
    client.post("/api/embed", json={"model": "colours", "keep_alive": "1h"})
    (entry,) = client.get("/api/ps").json()["models"]
    left = datetime.fromisoformat(entry.pop("expires_at")) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert entry == {**LISTED, "details": DETAILS, "size_vram": 0, "context_length": 8}


def test_for_ever_is_a_date_some_centuries_ahead(client: TestClient) -> None:
    client.post("/api/embed", json={"model": "colours", "keep_alive": -1})
    (entry,) = client.get("/api/ps").json()["models"]
    assert datetime.fromisoformat(entry["expires_at"]).year > 2300


@pytest.mark.parametrize("key", ["model", "name"])
def test_show_gives_the_facts_that_clients_read(client: TestClient, key: str) -> None:
    shown = client.post("/api/show", json={key: "Colours"}).json()
    assert shown["details"] == DETAILS
    assert shown["parameters"] == "num_ctx                        8"
    assert shown["capabilities"] == ["embedding"]
    assert shown["model_info"] == {
        "general.architecture": "bert",
        "general.basename": "colours",
        "general.parameter_count": 24,
        "bert.context_length": 8,
        "bert.embedding_length": 3,
        "embedcli.digest": "ab" * 32,
        "embedcli.max_tokens": 8,
        "embedcli.prompts": {"query": "red "},
    }


REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/api/show", {}, 400, "model is required"),
    ("POST", "/api/show", {"model": "a b"}, 400, "invalid model name"),
    ("POST", "/api/show", {"model": "foo"}, 404, "model 'foo:latest' not found"),
    ("POST", "/api/show", {"model": 1}, 400,
     "json: cannot unmarshal number into Go struct field ShowRequest.model of type string"),
    ("POST", "/api/pull", {"model": ""}, 400, "invalid model name"),
    ("POST", "/api/pull", {"model": "a b"}, 400, "invalid model name"),
    ("DELETE", "/api/delete", {}, 400, "model is required"),
    ("DELETE", "/api/delete", {"model": "bad name"}, 400, 'name "bad name" is invalid'),
    ("DELETE", "/api/delete", {"name": "x"}, 404, "model 'x' not found"),
    ("POST", "/api/generate", {"model": "colours", "prompt": "hi"}, 400,
     '"colours" does not support generate'),
    ("POST", "/api/generate", {"model": "colours"}, 400, '"colours" does not support generate'),
    ("POST", "/api/chat", {"model": "colours", "messages": [{}]}, 400,
     '"colours" does not support chat'),
    ("POST", "/api/generate", {"model": "x", "keep_alive": 0}, 404, "model 'x' not found"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "error"), REFUSED, ids=str)
def test_an_error_has_ollamas_words(
    client: TestClient, method: str, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    answer = client.request(method, path, json=body)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_a_refused_request_is_forgotten(client: TestClient) -> None:
    for _ in range(3):
        assert client.post("/api/show", json={}).status_code == 400
        assert client.request("DELETE", "/api/delete", json={}).status_code == 400
    gc.collect()
    assert not any(isinstance(thing, Refusal) for thing in gc.get_objects())


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/api/generate", {"response": ""}),
     ("/api/chat", {"message": {"role": "assistant", "content": ""}})],
)  # fmt: skip
def test_a_keep_alive_of_nought_unloads(
    client: TestClient, path: str, answer: dict[str, Any]
) -> None:
    client.post("/api/embed", json={"model": "colours"})
    reply = client.post(path, json={"model": "colours", "keep_alive": 0}).json()
    datetime.fromisoformat(reply.pop("created_at"))
    assert reply == {"model": "colours", **answer, "done": True, "done_reason": "unload"}
    assert client.get("/api/ps").json() == {"models": []}


def test_openai_sees_the_same_models(client: TestClient) -> None:
    model = {"object": "model", "created": 1795419000, "owned_by": "library"}
    listed = {"object": "list", "data": [{"id": "colours:latest", **model}]}
    assert client.get("/v1/models").json() == listed
    assert client.get("/v1/models/Colours").json() == {"id": "Colours", **model}


def test_openai_is_told_of_an_unknown_model_in_its_shape(client: TestClient) -> None:
    answer = client.get("/v1/models/foo")
    message = "model 'foo:latest' not found"
    error = {"message": message, "type": "not_found_error", "param": None, "code": None}
    assert (answer.status_code, answer.json()) == (404, {"error": error})
    assert client.get("/v1/models/a%2Fb").text == "404 page not found"


def steps(answer: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines()]


def test_a_pull_streams_its_steps_and_ends_in_success(client: TestClient) -> None:
    answer = client.post("/api/pull", json={"model": "teal"})
    layer = {"status": "pulling 0123456789ab", "digest": "sha256:0123456789ab", "total": 10}
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert steps(answer.text) == [
        {"status": "pulling manifest"},
        layer,
        {**layer, "completed": 10},
        {"status": "verifying sha256 digest"},
        {"status": "writing manifest"},
        {"status": "success"},
    ]


def test_a_failed_pull_ends_in_its_error(client: TestClient) -> None:
    error = {"error": "pull model manifest: file does not exist"}
    streamed = client.post("/api/pull", json={"name": "nowhere"})
    whole = client.post("/api/pull", json={"model": "nowhere", "stream": False})
    assert (streamed.status_code, steps(streamed.text)[-1]) == (200, error)
    assert (whole.status_code, whole.json()) == (500, error)


def test_a_pull_in_one_piece_says_success(client: TestClient) -> None:
    answer = client.post("/api/pull", json={"model": "teal", "stream": False})
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})


def test_a_pull_that_meets_a_bug_ends_all_the_same(palette: Embedder) -> None:
    def pull(_: Name, report: Report) -> None:
        report(Progress("0123456789ab", total=10, completed=0))
        raise RecursionError("of nobody's making")

    with client_of(replace(store_of(lambda _: palette), pull=pull)) as client:
        answer = client.post("/api/pull", json={"model": "teal"})
    error = {"error": "pull model manifest: internal server error"}
    assert steps(answer.text)[-1] == error


def test_slow_pulls_keep_nobody_from_embedding(palette: Embedder) -> None:
    pulled = threading.Event()

    def pull(_: Name, report: Report) -> None:
        pulled.wait()
        report(Progress("0123456789ab", total=10, completed=10))

    store = replace(store_of(lambda _: palette), pull=pull)
    with client_of(store) as client, ThreadPoolExecutor(40) as clients:
        teal = {"model": "teal"}  # asked for more often than the loop has threads, anywhere
        asked = [clients.submit(client.post, "/api/pull", json=teal) for _ in range(33)]
        reply = clients.submit(client.post, "/api/embed", json={"model": "colours"})
        try:
            assert reply.result(timeout=20).status_code == 200
        finally:
            pulled.set()
        assert all(steps(pull.result().text)[-1] == {"status": "success"} for pull in asked)


def test_a_deleted_model_is_gone(palette: Embedder) -> None:
    with client_of(store_of(lambda _: palette)) as client:
        client.post("/api/embed", json={"model": "colours", "input": "red"})
        answer = client.request("DELETE", "/api/delete", json={"model": "colours"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert client.get("/api/tags").json() == {"models": []}
        assert client.get("/api/ps").json() == {"models": []}
        assert client.post("/api/embed", json={"model": "colours"}).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/pull"), ("DELETE", "/api/delete")])
def test_models_change_only_where_that_is_allowed(
    palette: Embedder, method: str, path: str
) -> None:
    with client_of(store_of(lambda _: palette), Settings(may_change=False)) as client:
        answer = client.request(method, path, json={"model": "colours"})
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "models cannot be changed from here"},
    )


# Paths and methods.


@pytest.mark.parametrize("path", ["/nope", "/API/version", "/api", "/api/copy", "/api/embed/x"])
def test_an_unknown_path_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "404 page not found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [("GET", "/api/embed", "POST"), ("HEAD", "/api/ps", "GET"), ("PUT", "/", "HEAD, GET"),
     ("POST", "/api/delete", "DELETE"), ("DELETE", "/v1/models/x", "GET")],
)  # fmt: skip
def test_a_wrong_method_is_told_the_right_one(
    client: TestClient, method: str, path: str, allow: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 307), ("HEAD", 307)])
def test_a_slash_at_the_end_is_redirected(client: TestClient, method: str, status: int) -> None:
    answer = client.request(method, "/api/tags/?a=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (status, "/api/tags?a=1")


def test_doubled_slashes_are_forgiven(client: TestClient) -> None:
    answer = client.post("http://localhost//api//embed", json={"model": "colours"})
    assert answer.status_code == 200
