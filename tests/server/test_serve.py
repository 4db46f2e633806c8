"""`embed serve` as a process, spoken to through real sockets."""

import http.client
import json
import select
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from httpx2 import Client

from tests.conftest import embed
from tests.server.conftest import Server, serving


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    with closing(socket.create_connection((server.host, server.port), timeout=20)) as sock:
        yield sock


def request(body: Any, path: str = "/api/embed") -> bytes:  # noqa: ANN401
    raw = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


def answer(sock: socket.socket) -> tuple[int, http.client.HTTPResponse, bytes]:
    """Read one answer."""
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, response, response.read()


def ask(server: Server, body: Any, path: str = "/api/embed") -> Any:  # noqa: ANN401
    with connection(server) as sock:
        sock.sendall(request(body, path))
        return orjson.loads(answer(sock)[2])


def counter(server: Server, name: str) -> float:
    """Return the value of a counter, 0 where there is none yet."""
    client = http.client.HTTPConnection(server.host, server.port)
    client.request("GET", "/metrics")
    lines = client.getresponse().read().decode().splitlines()
    client.close()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name}{{"))


def texts(number: int, words: int = 60) -> list[str]:
    return [f"{place} " + "one more word " * (words // 3) for place in range(number)]


def wait_for_work(server: Server) -> None:
    """Return when texts wait for a core, or when they need not any more."""
    done = counter(server, "embed_texts_total")
    while not counter(server, "embed_waiting_tokens"):
        if counter(server, "embed_texts_total") > done:
            return


def test_it_starts_answers_and_stops_at_sigterm() -> None:
    with serving("--log-format", "json") as server:
        assert len(ask(server, {"model": "all-minilm", "input": "secret"})["embeddings"][0]) == 384
        code, err = server.stop()
    line = orjson.loads(err.splitlines()[0])
    assert code == 0
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/embed", 200)
    assert (line["texts"], line["tokens"]) == (1, 3)
    assert "secret" not in err


def test_ctrl_c_ends_it_as_well() -> None:
    with serving() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=20) == 0


def test_what_is_in_flight_is_finished_before_the_end() -> None:
    with serving() as server, connection(server) as sock:
        sock.sendall(request({"model": "all-minilm", "input": texts(60)}))
        wait_for_work(server)
        server.process.terminate()
        status, _, body = answer(sock)
        assert (status, len(orjson.loads(body)["embeddings"])) == (200, 60)
        assert server.process.wait(timeout=20) == 0


def test_a_lone_text_is_served_while_many_wait(server: Server) -> None:
    with connection(server) as crowd:
        crowd.sendall(request({"model": "all-minilm", "input": texts(2000)}))
        wait_for_work(server)
        ask(server, {"model": "all-minilm", "input": "alone"})
        assert not select.select([crowd], [], [], 0)[0]


def test_a_client_that_went_away_costs_nothing_more(server: Server) -> None:
    done = counter(server, "embed_texts_total")
    with connection(server) as sock:
        sock.sendall(request({"model": "all-minilm", "input": texts(2000)}))
        wait_for_work(server)
    while counter(server, "embed_waiting_tokens"):
        pass
    assert counter(server, "embed_texts_total") == done


def test_past_the_queues_limit_a_client_is_told_when_to_return() -> None:
    with serving("--max-queue", "1000") as server, connection(server) as crowd:
        crowd.sendall(request({"model": "all-minilm", "input": texts(2000)}))
        wait_for_work(server)
        with connection(server) as sock:
            sock.sendall(request({"model": "all-minilm", "input": texts(20)}))
            status, response, body = answer(sock)
        busy = "server busy, please try again.  maximum pending requests exceeded"
        assert (status, orjson.loads(body)) == (503, {"error": busy})
        assert int(response.headers["Retry-After"]) >= 1
        crowd.close()
        while counter(server, "embed_waiting_tokens"):
            pass
        assert len(ask(server, {"model": "all-minilm", "input": texts(20)})["embeddings"]) == 20


def test_a_deadline_ends_in_503() -> None:
    with serving("--timeout", "1", "-m", "all-minilm") as server, connection(server) as sock:
        sock.sendall(request({"model": "all-minilm", "input": texts(2000)}))
        assert answer(sock)[0] == 503
        assert len(ask(server, {"model": "all-minilm", "input": "a"})["embeddings"]) == 1


# Clients that stall, and worse.


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    with serving("--client-timeout", "0.3") as server:
        yield server


@pytest.mark.parametrize("sent", [b"", b"POST /api/em", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_client_that_never_finishes_its_head_is_cut_off(impatient: Server, sent: bytes) -> None:
    with connection(impatient) as sock:
        sock.sendall(sent)
        with pytest.raises(ConnectionResetError):
            sock.recv(100)


def test_a_client_that_never_finishes_its_body_is_told_and_cut_off(impatient: Server) -> None:
    with connection(impatient) as sock:
        sock.sendall(request({"model": "all-minilm", "input": "a"})[:-5])
        status, _, body = answer(sock)
        assert (status, orjson.loads(body)) == (408, {"error": "the request body comes too slowly"})
        assert sock.recv(100) == b""


def test_a_client_that_does_not_take_its_answer_is_cut_off(impatient: Server) -> None:
    with connection(impatient) as sock:
        sock.sendall(request({"model": "all-minilm", "input": ["same"] * 5000}))
        watch = select.poll()
        watch.register(sock, 0)  # only errors and hang-ups
        assert watch.poll(20_000), "the server waits for ever"


def test_a_body_that_was_answered_early_is_read_to_its_end() -> None:
    body = {"model": "all-minilm", "input": "a" * 3_000_000}
    with serving("--api-key", "k") as server, connection(server) as sock:
        sock.sendall(request(body))
        assert answer(sock)[0] == 401
        head, _, rest = request({"model": "all-minilm", "input": "a"}).partition(b"\r\n")
        sock.sendall(head + b"\r\nAuthorization: Bearer k\r\n" + rest)
        assert answer(sock)[0] == 200


def test_a_client_that_stalls_after_an_early_answer_is_cut_off() -> None:
    hasty = ("--api-key", "k", "--client-timeout", "0.3")
    with serving(*hasty) as server, connection(server) as sock:
        sock.sendall(request({"model": "all-minilm", "input": "a"})[:-5])
        assert answer(sock)[0] == 401
        with pytest.raises(ConnectionResetError):
            sock.recv(100)


HALF = [
    b"POST /api/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{",
    b"POST /api/embed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    b"POST /api/emb",
]


@pytest.mark.parametrize("sent", HALF)
def test_a_half_request_leaves_no_trace(impatient: Server, sent: bytes) -> None:
    with connection(impatient) as sock:
        sock.sendall(sent)
    assert ask(impatient, {"model": "all-minilm", "input": "a"})["embeddings"]


BROKEN = [
    b"\x16\x03\x01\x02\x00",
    b"POST /api/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
    b"POST /api/embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 66_000,
]


@pytest.mark.parametrize("sent", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_http_gets_400_and_no_traceback(impatient: Server, sent: bytes) -> None:
    with connection(impatient) as sock:
        sock.sendall(sent)
        status, _, body = answer(sock)
    assert status == 400
    assert b"Traceback" not in body


def test_a_stalled_client_leaves_no_traceback_in_the_log() -> None:
    with serving("--client-timeout", "0.2") as server:
        for sent in (HALF[0], HALF[1]):
            with connection(server) as sock:
                sock.sendall(sent)
        ask(server, {"model": "all-minilm", "input": "a"})
        code, err = server.stop()
    assert code == 0
    assert "Traceback" not in err


# Sockets, keys, models.


def test_a_taken_port_is_named_with_the_way_out(server: Server) -> None:
    done = embed("serve", "--port", str(server.port))
    assert done.code == 2
    assert done.err == (
        f"error: port {server.port} of 127.0.0.1 is in use\nhint: choose another one with --port\n"
    )


def test_a_unix_socket_is_this_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "embed.sock"
    with serving("--uds", str(path)), closing(socket.socket(socket.AF_UNIX)) as sock:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        sock.connect(str(path))
        sock.sendall(request({"model": "all-minilm", "input": "a"}))
        assert answer(sock)[0] == 200
        assert "it is in use" in embed("serve", "--uds", str(path)).err


def test_a_dead_unix_socket_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path, file = tmp_path / "embed.sock", tmp_path / "precious"
    file.write_text("mine")
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    with serving("--uds", str(path)) as server:
        assert server.stop()[0] == 0
    assert embed("serve", "--uds", str(file)).code == 2
    assert file.read_text() == "mine"


def test_a_server_for_the_network_without_a_key_is_warned_of() -> None:
    with serving("--host", "0.0.0.0", "--api-key", "k", "-m", "all-minilm") as server:
        with connection(server) as sock:
            sock.sendall(request({"model": "all-minilm", "input": "a"}))
            assert answer(sock)[0] == 401
        assert "warning" not in server.stop()[1]
    program = ("serve", "--host", "0.0.0.0", "-m", "nowhere", "--port", "0")
    assert embed(*program).err.startswith(
        "warning: anyone who can reach 0.0.0.0 can use this server: it has no key\n"
    )


def test_blanks_around_a_key_lock_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_bytes(b"\r\n abc\r\n")
    for arguments, env in (
        (["--api-key", "abc "], {}),
        (["--api-key-file", str(tmp_path / "key.txt")], {}),
        ([], {"EMBED_API_KEY": "abc\r\n"}),
    ):
        with serving(*arguments, env=env) as server:
            for key in ("abc", " abc\r"):
                to = ("--server", server.url)
                assert embed("text", "a", *to, env={"EMBED_API_KEY": key}).code == 0


BUG = """
from embedcli.engine import embedder

def load(self):
    raise RecursionError("of nobody's making")

embedder.Embedder.load = load
"""


def test_a_bug_at_the_start_is_shown_as_one(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BUG)
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = embed("serve", "-m", "all-minilm", "--port", "0", env=path)
    assert done.code == 70
    assert "RecursionError: of nobody's making" in done.err


WRONG = [
    (["--keep-alive", "soon"], 2, "`--keep-alive soon` is no duration"),
    (["-m", "nowhere", "--port", "0"], 4, "model 'nowhere:latest' not found"),
    (["-m", "nowhere", "--port", "0"], 4, "hint: embed pull nowhere\n"),
    (["-m", "./folder", "--port", "0"], 2, "a server's model is a name, never a path"),
    (["--host", "203.0.113.9", "--port", "0"], 2, "cannot listen on `203.0.113.9`"),
    (["--host", "127.0.0..1", "--port", "0"], 2, "cannot listen on `127.0.0..1`"),
    (["--uds", "x", "--port", "0"], 2, "--uds and --port are two places to listen"),
    (["--uds", "x", "--host", "localhost"], 2, "--uds and --host are two places to listen"),
    (["--api-key-file", "nowhere.txt"], 3, "cannot read the key in `nowhere.txt`"),
    (["--api-key", ""], 2, "the key is empty"),
    (["--api-key", "schlüssel"], 2, "the key holds characters that are no printable ASCII"),
    (["--api-key", "a\tb"], 2, "the key holds characters that are no printable ASCII"),
    (["--device", "nonsense", "--port", "0"], 2, "there is no device `nonsense` here"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG, ids=str)
def test_what_cannot_be_served_is_said_in_a_line(
    arguments: list[str], code: int, words: str
) -> None:
    done = embed("serve", *arguments)
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err


def test_ollamas_variables_count_where_ours_are_not_set(server: Server) -> None:
    taken = embed("serve", env={"OLLAMA_HOST": f" 'http://127.0.0.1:{server.port}/' "})
    ours = embed("serve", "--host", "127.0.0.1", env={"EMBED_PORT": str(server.port)})
    assert taken.err == ours.err
    assert f"port {server.port} of 127.0.0.1 is in use" in ours.err


def test_ollamas_variables_are_read_as_ollama_reads_them() -> None:
    odd = {
        "OLLAMA_HOST": "'localhost'",  # the name, whose first address may be that of IPv6
        "OLLAMA_ORIGINS": "'http://page.example, http://other.example'",
        "OLLAMA_KEEP_ALIVE": '"1h"',
        "OLLAMA_MAX_LOADED_MODELS": "abc",
    }
    with serving(env=odd) as server, Client(base_url=server.url) as client:
        assert server.host == "127.0.0.1"
        assert client.get("/", headers={"Origin": "http://other.example"}).status_code == 200
        client.post("/api/embed", json={"model": "all-minilm"})
        (entry,) = client.get("/api/ps").json()["models"]
    left = datetime.fromisoformat(entry["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


def test_nonsense_in_ollamas_variables_is_the_default() -> None:
    for value in ("abc", "''", "-1"):
        nonsense = {"OLLAMA_MAX_LOADED_MODELS": value, "OLLAMA_KEEP_ALIVE": "soon"}
        done = embed("serve", "-m", "nowhere", "--port", "0", env=nonsense)
        assert (done.code, "model 'nowhere:latest' not found" in done.err) == (4, True)
