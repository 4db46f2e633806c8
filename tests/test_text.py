"""`embed text`, as a process: exit code, standard output and standard error."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embedcli import load
from tests.conftest import embed

SKY = "why is the sky blue?"


def test_a_text_becomes_a_line_of_json_with_its_receipt() -> None:
    run = embed("text", SKY)
    assert (run.code, run.err) == (0, "")
    row = json.loads(run.out)
    assert list(row) == ["text", "tokens", "truncated", "embedding"]
    assert (row["text"], row["tokens"], row["truncated"]) == (SKY, 8, False)
    vector = np.array(row["embedding"], np.float32)
    assert vector.tobytes() == load().embed([SKY])[0].tobytes()


def test_arguments_and_lines_give_the_same_bytes() -> None:
    texts = ["one", "two words", "", "drei 三"]
    by_argument = embed("text", *texts)
    by_line = embed("text", stdin="\n".join(texts).encode() + b"\n")
    by_nul = embed("text", "-0", stdin="\0".join(texts).encode() + b"\0")
    assert by_argument.out == by_line.out == by_nul.out
    assert by_argument.out.count(b"\n") == 4


def test_no_input_gives_no_output() -> None:
    run = embed("text", stdin=b"")
    assert (run.code, run.out, run.err) == (0, b"", "")


def test_json_is_one_document_as_api_embed_answers() -> None:
    run = embed("text", "-f", "json", SKY, "x")
    document = json.loads(run.out)
    assert list(document) == [
        "model",
        "embeddings",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
    ]
    assert np.array(document["embeddings"]).shape == (2, 384)
    assert document["prompt_eval_count"] == 11
    assert document["total_duration"] > document["load_duration"] > 0


def test_npy_goes_through_a_pipe_and_into_a_file(tmp_path: Path) -> None:
    piped = embed("text", "-f", "npy", "-d", "64", stdin=b"a\nb\nc\n")
    filed = embed("text", "-f", "npy", "-d", "64", "-o", tmp_path / "v.npy", "a", "b", "c")
    assert (filed.code, filed.out) == (0, b"")
    assert (tmp_path / "v.npy").read_bytes() == piped.out
    array = np.load(io.BytesIO(piped.out), allow_pickle=False)
    assert (array.shape, array.dtype) == ((3, 64), np.float32)
    np.testing.assert_allclose(np.linalg.norm(array, axis=1), 1, rtol=1e-6)


def test_a_cut_text_says_so() -> None:
    row = json.loads(embed("text", "sky " * 300).out)
    assert (row["tokens"], row["truncated"]) == (256, True)
    row = json.loads(embed("text", "--max-tokens", "5", "sky " * 5).out)
    assert (row["tokens"], row["truncated"]) == (5, True)


def test_a_prefix_counts_and_changes_the_vector() -> None:
    bare, prefixed = (
        json.loads(embed("text", *more, "sky").out) for more in ([], ["--prefix", "blue "])
    )
    assert (bare["tokens"], prefixed["tokens"]) == (3, 4)
    assert bare["embedding"] != prefixed["embedding"]


def test_a_raw_vector_is_longer_than_one() -> None:
    row = json.loads(embed("text", "--no-normalize", SKY).out)
    assert np.linalg.norm(row["embedding"]) == pytest.approx(6.596, abs=1e-2)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["x", "-d", "999"], 2, "error: 999 dimensions are not possible: `all-minilm` has 384\n"),
        (["x", "--prompt", "quary"], 2, "error: `all-minilm` has no prompt `quary`: it has none\n"),
        (["x", "--device", "abacus"], 2, "error: there is no device `abacus` here: this onnx"),
        (["x", "--device", "azure"], 2, "error: the device `azure` would leave this model to th"),
        (["x", "--max-tokens", "2"], 2, "error: a limit of 2 tokens leaves no room for text: the"),
        (["--no-truncate", "x", "y " * 300], 3, "error: text 2 is too long: it has 302 tokens, th"),
        (["x", b"\xff"], 3, "error: text 2 is not UTF-8\n"),
        (["x", "--prefix", b"\xff"], 2, "error: the prefix is not Unicode: surrogates not allowed"),
        (["x", "-m", "no-such-model"], 4, "error: model 'no-such-model' not found\n"),
        (
            ["x", "-o", "/no/such/folder/v"],
            6,
            "error: cannot write `/no/such/folder/v`: No such fi",
        ),
    ],
)
def test_a_mistake_is_told_in_a_line_and_by_the_exit_code(
    arguments: list[str], code: int, error: str
) -> None:
    run = embed("text", *arguments)
    assert (run.code, run.out) == (code, b"")
    assert run.err.startswith(error)
    assert "Traceback" not in run.err


def test_what_was_read_before_a_bad_line_is_answered() -> None:
    run = embed("text", stdin=b"fine\nno\xff\n")
    assert (run.code, run.out.count(b"\n")) == (3, 1)
    assert run.err.startswith("error: stdin:2: not UTF-8: invalid start byte at byte 3\n")


def test_a_file_is_left_as_it_was_when_something_goes_wrong(tmp_path: Path) -> None:
    out = tmp_path / "v.jsonl"
    out.write_text("yesterday\n")
    run = embed("text", "-o", out, stdin=b"fine\nno\xff\n")
    assert (run.code, out.read_text()) == (3, "yesterday\n")
    assert list(tmp_path.iterdir()) == [out]


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "embedcli", "text", "x"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr == b"error: cannot write to standard output: No space left on device\n"


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "embedcli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_input_that_trickles_in_is_answered_as_it_comes() -> None:
    with start("text") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("red", "green"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with start("text") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"sky\n" * 1000)
        process.stdin.close()
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")


def test_ctrl_c_is_130() -> None:
    with start("text") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"sky\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_binary_output_refuses_a_terminal() -> None:
    main, side = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "embedcli", "text", "-f", "npy", "x"],
        stdout=side,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(side)
    os.close(main)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: a NumPy array would garble the terminal")
