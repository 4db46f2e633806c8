"""Who may come in, and with how much."""

import tracemalloc
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from embedcli.engine.embedder import Embedder
from embedcli.server.app import Settings
from embedcli.server.guard import Access, Limits
from tests.server.conftest import client_of, store_of

OURS = [
    "localhost", "localhost:11434", "LOCALHOST", "127.0.0.1:11434", "127.1.2.3", "[::1]:11434",
    "0.0.0.0", "10.1.2.3", "192.168.0.9:80", "172.16.0.1", "[fd00::1]", "host.docker.internal",
    "printer.local", "my.localhost:1",
]  # fmt: skip
OTHERS = ["evil.com", "localhost.evil.com", "8.8.8.8", "172.32.0.1", "[2001:db8::1]", "local"]


@pytest.mark.parametrize("host", OURS)
def test_a_host_of_this_machine_or_network_may_ask(client: TestClient, host: str) -> None:
    assert client.get("/api/version", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("path", ["/", "/api/embed", "/nope"])
def test_a_foreign_host_is_refused_on_every_path(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_server_for_the_network_takes_any_host(palette: Embedder) -> None:
    settings = Settings(access=Access(loopback=False))
    with client_of(store_of(lambda _: palette), settings) as client:
        assert client.get("/", headers={"Host": "embed.example.com"}).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("localhost", 204), ("127.0.0.1", 405)])
def test_options_without_an_origin_depend_on_the_host(
    client: TestClient, host: str, status: int
) -> None:
    answer = client.options("/api/embed", headers={"Host": host})
    assert answer.status_code == status


ALLOWED = [
    "http://localhost:5173", "https://localhost:3000", "http://127.0.0.1:8080", "https://0.0.0.0",
    "app://obsidian.md", "file:///x", "tauri://localhost", "vscode-webview://abc",
]  # fmt: skip


@pytest.mark.parametrize("origin", ALLOWED)
def test_a_page_of_this_machine_may_read_the_answer(client: TestClient, origin: str) -> None:
    headers = client.get("/api/tags", headers={"Origin": origin}).headers
    assert headers["access-control-allow-origin"] == origin
    assert headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["http://evil.com", "null", "chrome-extension://x", "http://localhost.evil.com", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_from_elsewhere_is_refused_altogether(
    client: TestClient, method: str, origin: str
) -> None:
    answer = client.request(method, "/api/tags", headers={"Origin": origin})
    assert (answer.status_code, answer.content) == (403, b"")
    assert "access-control-allow-origin" not in answer.headers


def test_our_own_page_needs_no_headers(client: TestClient) -> None:
    answer = client.get("/api/tags", headers={"Origin": "https://localhost"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_is_told_what_is_allowed(client: TestClient) -> None:
    answer = client.options("/api/embed", headers={"Origin": "http://localhost:3000"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == (
        "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
    )
    assert "X-Stainless-Timeout" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "43200"


@pytest.mark.parametrize(
    ("pattern", "origin", "status"),
    [("https://*.example.com", "https://a.example.com", 200), ("*", "null", 200),
     ("https://*.example.com", "https://example.com", 403),
     ("chrome-extension://*", "chrome-extension://abc", 200)],
)  # fmt: skip
def test_more_origins_can_be_allowed(
    palette: Embedder, pattern: str, origin: str, status: int
) -> None:
    settings = Settings(access=Access(origins=[pattern]))
    with client_of(store_of(lambda _: palette), settings) as client:
        answer = client.get("/", headers={"Origin": origin})
    shown = {"*": "*"}.get(pattern, origin)
    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") == (shown if status == 200 else None)


# The key.


@pytest.fixture(scope="module")
def locked(palette: Embedder) -> Iterator[TestClient]:
    settings = Settings(access=Access(key="s3cret"))
    with client_of(store_of(lambda _: palette), settings) as client:
        yield client


@pytest.mark.parametrize("given", ["Bearer s3cret", "bearer  s3cret"])
def test_the_key_opens(locked: TestClient, given: str) -> None:
    assert locked.get("/api/tags", headers={"Authorization": given}).status_code == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cretx", "Basic s3cret", "s3cret"]
)
@pytest.mark.parametrize("path", ["/api/tags", "/metrics", "/api/version", "/nope"])
def test_without_the_key_nothing_is_told(locked: TestClient, path: str, given: str) -> None:
    answer = locked.get(path, headers={"Authorization": given})
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_openais_clients_are_refused_in_their_shape(locked: TestClient) -> None:
    answer = locked.get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "api_error")


@pytest.mark.parametrize("path", ["/", "/health", "/ready"])
def test_a_probe_needs_no_key(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 200


def test_without_a_key_any_authorization_is_ignored(client: TestClient) -> None:
    assert client.get("/api/tags", headers={"Authorization": "Bearer "}).status_code == 200


# Sizes.


def test_far_too_many_texts_are_refused_before_they_are_built(client: TestClient) -> None:
    # `model` is no string, which is said of every body that is read.
    body = b'{"model":1,"input":[' + b'"ab" , ' * 300_000 + b'"ab"]}'
    tracemalloc.start()
    answer = client.post("/api/embed", content=body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    error = {"error": "too many inputs: the limit is 50000"}
    assert (answer.status_code, answer.json()) == (413, error)
    assert peak < 30_000_000


def test_commas_inside_of_texts_count_for_nothing(client: TestClient) -> None:
    text = ',,,, \\", \\\\' * 80_000
    reply = client.post("/api/embed", json={"model": "colours", "input": [text, "green,,,"]})
    assert (reply.status_code, len(reply.json()["embeddings"])) == (200, 2)


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (["red"] * 4, "too many inputs: 4, the limit is 3"),
        (["red", "green" * 3], "input 1 is too long: 15 characters, the limit is 10"),
        (["x" * 200], "request body too large: the limit is 200 bytes"),
    ],
    ids=["many", "long", "large"],
)
def test_what_is_over_a_limit_is_told_so_and_not_repeated(
    palette: Embedder, texts: list[str], error: str
) -> None:
    settings = Settings(limits=Limits(body=200, texts=3, characters=10))
    with client_of(store_of(lambda _: palette), settings) as client:
        answer = client.post("/api/embed", json={"model": "colours", "input": texts})
        assert (answer.status_code, answer.json()) == (413, {"error": error})
        good = client.post("/api/embed", json={"model": "colours", "input": texts[0][:5]})
        assert good.status_code == 200
