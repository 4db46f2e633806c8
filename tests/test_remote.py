"""`--server`: the work is done elsewhere, and nobody could tell by the vectors."""

import http.client
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from embedcli import Options
from embedcli.engine.embedder import Embedder
from embedcli.errors import NetworkError, TextTooLong, UsageError
from embedcli.records import Embedded
from embedcli.remote import Remote
from tests.conftest import embed
from tests.server.conftest import Server, serving

TEXTS = ["why is the sky blue?", "", "long " * 300, "ünïcödé ☃", "why is the sky blue?"]
LINES = "".join(f"line {number} of many\n" for number in range(300)).encode()

Answer = tuple[int, dict[str, str], Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("-m", "all-minilm") as server:
        yield server


@pytest.fixture
def remote(server: Server) -> Iterator[Remote]:
    with Remote(server.url, "all-minilm") as remote:
        yield remote


@contextmanager
def standing_between(answer: Callable[[str, Any], Answer]) -> Iterator[str]:
    """Lend the URL of a server that answers with `answer(path, body)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = answer(self.path, orjson.loads(raw))
            content = body if isinstance(body, bytes) else orjson.dumps(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as between:
        thread = threading.Thread(target=between.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{between.server_address[1]}"
        finally:
            between.shutdown()
            thread.join()


def forward(server: Server, path: str, body: Any) -> Answer:  # noqa: ANN401
    connection = http.client.HTTPConnection(server.host, server.port)
    connection.request("POST", path, orjson.dumps(body))
    response = connection.getresponse()
    reply = orjson.loads(response.read())
    connection.close()
    return response.status, {}, reply


def as_ollama(server: Server) -> Callable[[str, Any], Answer]:
    """Answer as a server of the same contract that knows nothing of our extension."""

    def answer(path: str, body: Any) -> Answer:  # noqa: ANN401
        body.pop("embedcli", None)
        status, headers, reply = forward(server, path, body)
        told = reply.get("model_info", {})
        for key in [key for key in told if key.startswith("embedcli.")]:
            del told[key]
        return status, headers, reply

    return answer


def test_texts_give_the_same_bytes_here_and_there(server: Server) -> None:
    here, there = embed("text", *TEXTS), embed("text", *TEXTS, "--server", server.url)
    assert (there.code, there.err) == (0, "")
    assert there.out == here.out


def test_a_stream_gives_the_same_bytes_here_and_there(server: Server) -> None:
    options = ("text", "-d", "64", "--max-tokens", "5")
    there = embed(*options, stdin=LINES, env={"EMBED_SERVER": server.url})
    assert there.out == embed(*options, stdin=LINES).out


def test_a_file_gives_the_same_rows_here_and_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(LINES)
    source, here, there = (str(tmp_path / name) for name in ("lines.txt", "a.npy", "b.npy"))
    assert embed("file", source, "-o", here).code == 0
    assert embed("file", source, "-o", there, "--server", server.url).code == 0
    assert Path(here).read_bytes() == Path(there).read_bytes()


def test_what_is_closest_is_the_same_here_and_there(server: Server) -> None:
    asked = ("similar", "a cat sat", "a dog slept", "a share fell", "-f", "jsonl")
    there = embed(*asked, "--server", server.url)
    assert (there.code, there.out) == (0, embed(*asked).out)


def test_a_unix_socket_serves_as_well(tmp_path: Path) -> None:
    path = tmp_path / "embed.sock"
    with serving("--uds", str(path)):
        there = embed("text", "a", "--server", f"unix:{path}")
    assert there.out == embed("text", "a").out


def test_ollama_gives_the_same_receipts(server: Server, minilm: Embedder) -> None:
    with standing_between(as_ollama(server)) as url, Remote(url, "all-minilm") as remote:
        there = remote.submit(TEXTS).result()
    here = minilm.submit(TEXTS).result()
    assert [(row.tokens, row.truncated) for row in there] == [
        (row.tokens, row.truncated) for row in here
    ]
    for ours, theirs in zip(here, there, strict=True):
        np.testing.assert_array_equal(ours.vector, theirs.vector)


def test_what_ollama_does_not_know_is_refused_at_once(server: Server) -> None:
    refused = pytest.raises(UsageError, match="neither prompts nor")
    with standing_between(as_ollama(server)) as url, Remote(url, "all-minilm") as remote, refused:
        remote.submit(["a"], Options(normalize=False))


def test_a_text_that_may_not_be_cut_is_named(remote: Remote) -> None:
    with pytest.raises(TextTooLong) as error:
        remote.submit([*["short"] * 70, "long " * 300], Options(truncate=False)).result()
    assert (error.value.index, error.value.limit) == (70, 256)


def test_texts_behind_one_that_is_too_long_keep_their_own_vectors(
    remote: Remote, minilm: Embedder
) -> None:
    texts = [f"text {number}" for number in range(2100)]
    texts[1] = texts[70] = texts[2090] = "long " * 300
    outcomes = list(remote.outcomes(texts, Options(truncate=False)))
    bad = [n for n, row in enumerate(outcomes) if isinstance(row, TextTooLong)]
    assert bad == [1, 70, 2090]
    vectors = np.stack([row.vector for row in outcomes if isinstance(row, Embedded)])
    fine = [text for number, text in enumerate(texts) if number not in bad]
    np.testing.assert_array_equal(vectors, minilm.embed(fine))


def test_vectors_that_are_not_of_unit_length_come_from_our_server(
    remote: Remote, minilm: Embedder
) -> None:
    options = Options(normalize=False, prefix="query: ")
    there = remote.embed(["a", "b"], options)
    np.testing.assert_array_equal(there, minilm.embed(["a", "b"], options))


def test_no_texts_give_no_vectors(remote: Remote) -> None:
    assert remote.embed([]).shape == (0, 384)


def test_long_texts_are_sent_a_few_at_a_time() -> None:
    sizes = []

    def answer(path: str, body: Any) -> Answer:  # noqa: ANN401
        if path == "/api/show":
            info = {"embedcli.max_tokens": 8, "bert.embedding_length": 1, "bert.context_length": 8}
            return 200, {}, {"model_info": info}
        sizes.append(len(orjson.dumps(body)))
        rows = len(body["input"])
        told = {"tokens": [3] * rows, "truncated": [True] * rows}
        return 200, {}, {"embeddings": [[1.0]] * rows, **told}

    with standing_between(answer) as url, Remote(url, "any") as remote:
        assert remote.embed(["x" * 500_000] * 64).shape == (64, 1)
    assert max(sizes) < 4_000_000


@pytest.mark.parametrize(("status", "doubted"), [(400, False), (404, True), (405, True)])
def test_only_a_path_that_is_none_makes_one_doubt_the_server(status: int, doubted: bool) -> None:
    with standing_between(lambda *_: (status, {}, {"error": "no"})) as url:
        done = embed("text", "a", "--server", url)
    assert done.err.startswith(f"error: the server at `{url}` refuses: {status} no\n")
    assert ("is it an embedding server?" in done.err) is doubted


def test_a_busy_server_is_asked_again(server: Server) -> None:
    busy = itertools.chain([True, True], itertools.repeat(False))

    def answer(path: str, body: Any) -> Answer:  # noqa: ANN401
        if path == "/api/embed" and next(busy):
            return 503, {"Retry-After": "0"}, {"error": "server busy"}
        return forward(server, path, body)

    with standing_between(answer) as url, Remote(url, "all-minilm") as remote:
        assert remote.embed(["a"]).shape == (1, 384)


def test_what_a_text_source_raises_comes_after_the_vectors_before_it(remote: Remote) -> None:
    def source() -> Iterator[str]:
        yield "a"
        raise UsageError("no more")

    rows = remote.stream(source())
    assert next(rows).tokens == 3
    with pytest.raises(UsageError, match="no more"):
        next(rows)


def test_a_stream_that_is_left_ends_its_reader(remote: Remote) -> None:
    rows = remote.stream(str(number) for number in itertools.count())
    assert next(rows).tokens == 3
    rows.close()  # type: ignore[attr-defined]  # it is a generator
    for thread in threading.enumerate():
        if thread.name == "embed-feeder":
            thread.join(timeout=20)
            assert not thread.is_alive()


PROBLEMS = [
    (["--server", "http://127.0.0.1:1"], 5, "cannot reach the server at `http://127.0.0.1:1`"),
    (["--server", "ftp://x"], 2, "`--server ftp://x` is no address"),
    (["--server", "unix:"], 2, "`--server unix:` is no address"),
    (["--server", "localhost:99999"], 2, "`--server localhost:99999` is no address"),
    (["--server", "http://[::1"], 2, "`--server http://[::1` is no address"),
    (["--server", "http://foo..bar:1"], 5, "cannot reach the server at `http://foo..bar:1`"),
    (["--server", "http://x", "--offline"], 2, "have no say with --server"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), PROBLEMS, ids=str)
def test_a_wrong_server_is_said_in_a_line(arguments: list[str], code: int, words: str) -> None:
    done = embed("text", "a", *arguments)
    assert done.code == code
    assert words in done.err
    assert done.err.count("\n") <= 2


def test_an_unknown_model_is_said_to_be_missing_there(server: Server) -> None:
    done = embed("text", "a", "-m", "foo", "--server", server.url)
    assert done.code == 4
    assert f"model 'foo' not found on `{server.url}`" in done.err


def test_another_kind_of_server_is_told_apart() -> None:
    with standing_between(lambda *_: (200, {}, b"<html>")) as url:
        done = embed("text", "a", "--server", url)
    assert done.code == 2
    assert f"the server at `{url}` is no embedding server: it answers 200, no JSON" in done.err


ODD: list[dict[str, Any]] = [
    {"ok": True},
    {"model_info": []},
    {"model_info": {"bert.context_length": "long"}},
    {"model_info": {}, "capabilities": None},
    {"model_info": {"embedcli.max_tokens": 8, "bert.embedding_length": 3}, "embeddings": 7},
    {"model_info": {}, "embeddings": [[1.0], [1.0]]},
    {"model_info": {}, "embeddings": [1.0]},
]


@pytest.mark.parametrize("reply", ODD, ids=str)
def test_a_server_of_another_shape_is_said_to_be_none(reply: dict[str, Any]) -> None:
    with standing_between(lambda *_: (200, {}, reply)) as url:
        done = embed("text", "a", "--server", url)
    assert (done.code, done.err) == (
        2,
        f"error: the server at `{url}` is no embedding server: it answers in another shape\n"
        "hint: start one with `embed serve`, or correct --server\n",
    )


def test_the_key_comes_from_the_environment() -> None:
    with serving("--api-key", "k") as server:
        without = embed("text", "a", "--server", server.url)
        having = embed("text", "a", "--server", server.url, env={"EMBED_API_KEY": "k"})
    assert without.err == (
        f"error: the server at `{server.url}` wants a key\nhint: set EMBED_API_KEY to it\n"
    )
    assert having.code == 0


def test_a_key_that_no_header_can_carry_is_refused_in_a_line(server: Server) -> None:
    done = embed("text", "a", "--server", server.url, env={"EMBED_API_KEY": "a\rb"})
    assert done.code == 2
    assert done.err.startswith("error: the key holds characters that are no printable ASCII\nhint:")


def test_a_dropped_connection_is_an_error_of_the_network(server: Server, remote: Remote) -> None:
    server.process.kill()
    server.process.wait()
    with pytest.raises(NetworkError, match="cannot reach the server"):
        remote.embed(["a"])
