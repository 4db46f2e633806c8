"""The models that lie on this machine, as a server finds them by their names."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Client
from starlette.testclient import TestClient

from embedcli.models import reference
from embedcli.server import local
from tests.conftest import embed
from tests.hub import Hub, Repo, serve
from tests.server.conftest import client_of, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"

Put = Callable[[str, str], Path]


@pytest.fixture
def put(colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Lay the model `colours` into a hub's cache of its own, as a repo with some pooling."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("EMBED_CACHE", str(tmp_path / "own"))

    def lay(repo: str, pooling: str) -> Path:
        root = tmp_path / "hub" / f"models--{repo.replace('/', '--')}"
        snapshot = root / "snapshots" / COMMIT
        shutil.copytree(colours, snapshot)
        (snapshot / "1_Pooling").mkdir()
        (snapshot / "1_Pooling" / "config.json").write_text(f'{{"pooling_mode": "{pooling}"}}')
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(COMMIT)
        return root

    return lay


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A client of a server for what lies on this machine."""
    with client_of(local.model_store(threads=1)) as client:
        yield client


def revision(name: str) -> str:
    """Return the commit that the catalogue pins, or ours."""
    pinned = reference.parse(name).revision
    return COMMIT if pinned == "main" else pinned


def embedded(client: TestClient, model: str) -> Any:  # noqa: ANN401
    reply = client.post("/api/embed", json={"model": model, "input": "red"})
    assert reply.status_code == 200, reply.text
    return reply.json()["embeddings"]


def digest(client: TestClient, model: str) -> str:
    info = client.post("/api/show", json={"model": model}).json()["model_info"]
    return str(info["embedcli.digest"])


def test_two_repos_with_one_graph_are_two_models(put: Put, client: TestClient) -> None:
    put("org/mean", "mean")
    put("org/first", "cls")
    assert embedded(client, "org/mean") != embedded(client, "org/first")
    assert digest(client, "org/mean") != digest(client, "org/first")


def test_one_model_under_two_names_has_one_digest(put: Put, client: TestClient) -> None:
    put("org/mean", "mean")
    put("org/copy", "mean")
    assert digest(client, "org/mean") == digest(client, "org/copy")


def test_a_model_that_was_removed_meanwhile_is_not_found(put: Put, client: TestClient) -> None:
    repo = put("org/mean", "mean")
    assert client.get("/api/tags").status_code == 200
    shutil.rmtree(repo)
    for _ in range(2):
        reply = client.post("/api/embed", json={"model": "org/mean", "input": "red"})
        error = 'model "org/mean" not found, try pulling it first'
        assert (reply.status_code, reply.json()) == (404, {"error": error})


def test_a_model_that_cannot_be_loaded_is_the_servers_fault(put: Put, client: TestClient) -> None:
    graph = put("org/mean", "mean") / "snapshots" / COMMIT / "model.onnx"
    assert client.get("/api/tags").status_code == 200
    graph.write_bytes(graph.read_bytes()[:-100])
    reply = client.post("/api/embed", json={"model": "org/mean", "input": "red"})
    assert (reply.status_code, reply.json()) == (500, {"error": "the model could not be loaded"})


def test_a_model_that_cannot_be_loaded_at_the_start_ends_the_server(put: Put) -> None:
    graph = put("org/mean", "mean") / "snapshots" / COMMIT / "model.onnx"
    (graph.parent / "tokenizer.json").write_text("{}")
    done = embed("serve", "-m", "org/mean", "--port", "0")
    assert done.code == 4
    assert "error: " in done.err
    assert "Traceback" not in done.err


BUNDLED = ["all-minilm", "ALL-MiniLM", "library/all-minilm:22m", "all-minilm:L6-V2"]


@pytest.mark.parametrize("model", BUNDLED)
def test_every_spelling_of_a_model_is_counted_as_one(client: TestClient, model: str) -> None:
    embedded(client, model)
    (loaded,) = client.get("/api/ps").json()["models"]
    assert loaded["name"] == "all-minilm:latest"
    assert 'embed_texts_total{model="all-minilm:latest"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    "model", ["evil.example/library/all-minilm", "localhost:11434/library/all-minilm", "org/l6-v2"]
)
def test_a_model_of_another_host_is_not_ours(client: TestClient, model: str) -> None:
    reply = client.post("/api/embed", json={"model": model, "input": "red"})
    error = f'model "{model}" not found, try pulling it first'
    assert (reply.status_code, reply.json()) == (404, {"error": error})
    pulled = client.post("/api/pull", json={"model": model.replace("org/", "x.example/a/")})
    assert "file does not exist" in pulled.text


def test_the_repo_of_the_bundled_model_keeps_its_own_name(put: Put, client: TestClient) -> None:
    repo = put("Xenova/all-MiniLM-L6-v2", "mean") / "snapshots" / COMMIT
    (repo / "onnx").mkdir()
    (repo / "model.onnx").rename(repo / "onnx" / "model.onnx")
    listed = {model["name"] for model in client.get("/api/tags").json()["models"]}
    assert listed > {"all-minilm:latest", "Xenova/all-MiniLM-L6-v2:latest"}
    assert len(embedded(client, "Xenova/all-MiniLM-L6-v2")[0]) == 3


def test_the_old_endpoint_minds_the_case_whatever_was_asked_before(client: TestClient) -> None:
    def legacy(model: str) -> int:
        return client.post("/api/embeddings", json={"model": model}).status_code

    assert legacy("ALL-MINILM:22M") == 404
    embedded(client, "ALL-MINILM:22M")
    assert legacy("ALL-MINILM:22M") == 404
    assert legacy("all-minilm:22m") == 200


def test_the_bundled_model_cannot_be_deleted_and_stays_loaded(client: TestClient) -> None:
    embedded(client, "all-minilm")
    answer = client.request("DELETE", "/api/delete", json={"model": "all-minilm"})
    error = "model 'all-minilm' is a part of the program and cannot be deleted"
    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert len(client.get("/api/ps").json()["models"]) == 1


@pytest.mark.parametrize(
    ("repo", "file", "name", "level"),
    [
        ("Xenova/bge-large-en-v1.5", "model_quantized.onnx", "bge-large:q8", "Q8"),
        ("Xenova/all-MiniLM-L12-v2", "model_quantized.onnx", "all-minilm:33m-q8", "Q8"),
        ("Xenova/all-MiniLM-L6-v2", "model_fp16.onnx", "all-minilm:fp16", "F16"),
    ],
)
def test_the_end_of_a_tag_tells_the_quantisation(
    put: Put, client: TestClient, repo: str, file: str, name: str, level: str
) -> None:
    root = put(repo, "mean")
    (root / "snapshots" / COMMIT).rename(root / "snapshots" / revision(name))
    graph = root / "snapshots" / revision(name) / "onnx" / file
    graph.parent.mkdir()
    (graph.parents[1] / "model.onnx").rename(graph)
    (root / "refs" / "main").write_text(revision(name))
    (model,) = [m for m in client.get("/api/tags").json()["models"] if m["name"] == name]
    assert model["details"]["quantization_level"] == level


def test_the_bundled_model_in_8_bits_is_shown_as_such(client: TestClient) -> None:
    shown = client.post("/api/show", json={"model": "all-minilm:22m-int8"}).json()
    assert shown["details"]["quantization_level"] == "INT8"
    assert digest(client, "all-minilm:int8") != digest(client, "all-minilm")


def test_without_a_cache_that_can_be_read_the_bundled_model_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        serving(env={"HF_HOME": str(tmp_path / "file")}) as server,
        Client(base_url=server.url) as client,
    ):
        reply = client.post("/api/embed", json={"model": "all-minilm", "input": "red"})
        absent = client.post("/api/embed", json={"model": "bge-small", "input": "red"})
    assert (reply.status_code, absent.status_code) == (200, 404)
    assert server.said.startswith(f"warning: cannot read the models in `{tmp_path / 'file'}/hub`")


def test_what_is_pulled_is_served_at_once(tmp_path: Path, colours: Path) -> None:
    files = {name: (colours / name).read_bytes() for name in ("model.onnx", "tokenizer.json")}
    files["1_Pooling/config.json"] = b'{"pooling_mode": "mean"}'
    own = {"HF_HOME": str(tmp_path), "EMBED_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    with (
        serve(Hub({"org/teal": Repo(files)})) as hub,
        serving(env={**own, "HF_ENDPOINT": hub.url}) as server,
        Client(base_url=server.url) as client,
    ):
        steps = client.post("/api/pull", json={"model": "org/teal"}).text.splitlines()
        reply = client.post("/api/embed", json={"model": "org/teal", "input": "red"}).json()
    assert steps[-1] == '{"status":"success"}'
    assert len(reply["embeddings"][0]) == 3
