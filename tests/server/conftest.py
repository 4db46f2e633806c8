"""A server for the model `colours`, in this process, and one for `all-minilm`, in its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from embedcli.engine.embedder import Embedder
from embedcli.errors import ModelNotFound
from embedcli.server.app import Settings, create_app
from embedcli.server.names import Name
from embedcli.server.store import ModelStore, Progress, ServedModel

COLOURS = ServedModel(
    name=Name("colours"),
    size=1234,
    digest="ab" * 32,
    modified=datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
    family="bert",
    dimensions=3,
    max_tokens=8,
    context_length=8,
    parameters=24,
    prompts={"query": "red "},
)


def store_of(
    load: Callable[[ServedModel], Embedder], models: Sequence[ServedModel] = (COLOURS,)
) -> ModelStore:
    """Return a store from which models can be deleted, and to which `teal` can be pulled."""
    here = list(models)

    def pull(name: Name, report: Callable[[Progress], None]) -> None:
        if name.model != "teal":
            raise ModelNotFound("no such model")
        for completed in (0, 5, 10):
            report(Progress("0123456789ab", total=10, completed=completed))

    def find(name: Name) -> ServedModel | None:
        return next((model for model in here if model.name == name), None)

    return ModelStore(lambda: list(here), find, load, pull, here.remove)


@contextmanager
def client_of(store: ModelStore, settings: Settings | None = None) -> Iterator[TestClient]:
    """Lend a client of a server in this process; a bug becomes a 500, as it would for others."""
    app = create_app(store, settings or Settings())
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def client(palette: Embedder) -> Iterator[TestClient]:
    """A client of a server for `colours`."""
    with client_of(store_of(lambda _: palette)) as client:
        yield client


@dataclass
class Server:
    """A running `embed serve`."""

    process: subprocess.Popen[bytes]
    host: str
    port: int
    said: str  # before it listened

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def stop(self) -> tuple[int, str]:
        """End it as a service manager would; its exit code, and what it said."""
        self.process.terminate()
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err.decode()


@contextmanager
def serving(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Lend a server that listens on a free port, or where `--uds` says."""
    where = [] if "--uds" in arguments else ["--port", "0"]
    ours = ("EMBED_", "OLLAMA_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    process = subprocess.Popen(
        [sys.executable, "-m", "embedcli", "serve", *where, *arguments],
        stderr=subprocess.PIPE,
        env={**clean, **(env or {})},
    )
    assert process.stderr is not None, "it is a pipe"
    said = ""
    while not (line := process.stderr.readline().decode()).startswith("listening on "):
        said += line
        assert line, f"it ended: {said}"
    host, _, port = line.rstrip("\n").rpartition("/")[2].rpartition(":")
    try:
        yield Server(process, host, int(port) if port.isdigit() else 0, said)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server for `all-minilm`, in a process of its own."""
    with serving() as server:
        yield server
