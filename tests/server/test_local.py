"""The models that lie on this machine, as a server finds them by their names."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from embedcli.server import local
from tests.server.conftest import client_of

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
    with client_of(local.shelf(threads=1)) as client:
        yield client


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
    assert digest(client, "all-minilm") == digest(client, "all-minilm:22m")
