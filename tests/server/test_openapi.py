"""The document at /openapi.json against the server: whatever it allows is answered as it says."""

import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route
from starlette.testclient import TestClient

from embedcli.engine.embedder import Embedder
from embedcli.server.app import Settings, create_app
from tests.server.conftest import store_of

Schema = dict[str, Any]


def document(client: TestClient) -> Schema:
    found: Schema = client.get("/openapi.json").json()
    return found


def resolved(root: Schema, schema: Schema) -> Schema:
    """Return `schema`, or what it refers to."""
    if "$ref" not in schema:
        return schema
    for part in schema["$ref"].removeprefix("#/").split("/"):
        root = root[part]
    return root


def fits(root: Schema, schema: Schema, value: Any) -> bool:  # noqa: ANN401
    """Tell whether `value` is what `schema` describes, in the keywords that our document uses."""
    schema = resolved(root, schema)
    if "oneOf" in schema:
        return any(fits(root, option, value) for option in schema["oneOf"])
    if "const" in schema:
        return bool(value == schema["const"])
    kinds: dict[str, Any] = {
        "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
        "object": dict, "null": type(None),
    }  # fmt: skip
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(fits(root, schema["items"], member) for member in value)
    if isinstance(value, dict):
        return set(schema.get("required", [])) <= value.keys() and all(
            fits(root, schema["properties"][key], member)
            for key, member in value.items()
            if key in schema.get("properties", {})
        )
    return bool(value >= schema.get("minimum", value)) if isinstance(value, int) else True


def described_by(root: Schema, schema: Schema) -> st.SearchStrategy[Any]:
    """Return a strategy for values that `schema` describes."""
    schema = resolved(root, schema)
    if "oneOf" in schema:
        return st.one_of(*(described_by(root, option) for option in schema["oneOf"]))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "array":
        return st.lists(
            described_by(root, schema["items"]), min_size=schema.get("minItems", 0), max_size=4
        )
    if schema["type"] == "object":
        return _object(root, schema)
    return _plain(schema)


def _object(root: Schema, schema: Schema) -> st.SearchStrategy[Any]:
    members = {
        name: st.sampled_from(["colours", "Colours:latest", "other", "", "../x"])
        if name == "model"
        else described_by(root, member)
        for name, member in schema.get("properties", {}).items()
    }
    required = {name: members.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


def _plain(schema: Schema) -> st.SearchStrategy[Any]:
    if schema["type"] == "string" and "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"], re.ASCII), fullmatch=True)
    return {
        "string": st.text(st.characters(codec="utf-8"), max_size=40),
        "integer": st.integers(schema.get("minimum"), schema.get("maximum")),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
    }[schema["type"]]


def test_every_path_and_method_is_described(client: TestClient, palette: Embedder) -> None:
    routes = create_app(store_of(lambda _: palette), Settings()).routes
    served = {route.path for route in routes if isinstance(route, Route)}
    described = document(client)["paths"]
    assert served == set(described)
    for path, methods in described.items():
        allowed = client.request("PATCH", path.replace("{model}", "x")).headers["allow"]
        assert {method.upper() for method in methods} == set(allowed.split(", "))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_the_document_allows_is_answered_as_it_says(
    client: TestClient, data: st.DataObject
) -> None:
    root = document(client)
    path = data.draw(st.sampled_from([p for p in root["paths"] if "/embed" in p or "show" in p]))
    operation = root["paths"][path]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = data.draw(described_by(root, schema))
    answer = client.post(path, content=json.dumps(body).encode())
    reply = resolved(root, operation["responses"][str(answer.status_code)])
    # Ollama's older endpoint answers 500 to a text that is too long.
    assert answer.status_code in (
        (200, 400, 404, 500) if path == "/api/embeddings" else (200, 400, 404)
    )
    assert fits(root, reply["content"]["application/json"]["schema"], answer.json())


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "Input", "keep_alive", "options", "x"]), children
        )
    ),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=wild.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_whatever_is_sent_the_answer_is_of_the_contract(client: TestClient, body: bytes) -> None:
    for path in ("/api/embed", "/api/embeddings", "/v1/embeddings", "/api/show", "/api/generate"):
        answer = client.post(path, content=body)
        assert answer.status_code in (200, 400, 404, 500)
        assert answer.json()
        if answer.status_code == 500:  # Ollama's own status for an option of a wrong type
            assert "must be of" in answer.text or path == "/api/embeddings"
