"""Whatever becomes of the standard streams, the exit code tells, and nothing else goes wrong."""

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.conftest import embed

MODELS = Path(__file__).parent / "models"
FULL = Path("/dev/full")
WARNED = ["text", "-m", str(MODELS / "qwen3")]  # of a pooling that nothing says

PRINTING = [
    ["--help"],
    ["text", "--help"],
    ["--version"],
    ["list"],
    ["show", "all-minilm"],
    ["doctor", "--offline"],
    ["verify"],
    ["cache", "info"],
    ["text", "x"],
    ["file", str(MODELS.parent / "__init__.py")],
    ["file", __file__, "--estimate"],
    ["similar", "a", "b", "c"],
    ["similar", "a", "b", "c", "-f", "table"],
]


def run(
    arguments: list[str], *, out: BinaryIO | int = subprocess.PIPE, err: BinaryIO | int = -1
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "embedcli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def unread() -> BinaryIO:
    """A pipe whose reader has left."""
    end, pipe = os.pipe()
    os.close(end)
    return os.fdopen(pipe, "wb", buffering=0)


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_reader_who_has_had_enough_is_no_error(arguments: list[str], unread: BinaryIO) -> None:
    with unread:
        code, _, err = run(arguments, out=unread)
    assert (code, b"error" in err, b"Traceback" in err) == (0, False, False)


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_full_disk_is_told(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        code, _, err = run(arguments, out=full)
    *_, last = err.splitlines()
    assert (code, last) == (6, b"error: cannot write standard output: no space left on device")


def test_words_that_nobody_hears_do_not_stop_the_work(unread: BinaryIO) -> None:
    heard = run([*WARNED, "a", "b"])
    assert heard[2].startswith(b"warning: ")
    with unread:
        assert run([*WARNED, "a", "b"], err=unread)[:2] == (0, heard[1])
        assert run(["nonsense"], err=unread)[0] == 2


def test_rejects_that_nobody_reads_do_not_cut_the_output_short(
    tmp_path: Path, unread: BinaryIO
) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text('{"text":"a"}\nnot JSON\n{"text":"b"}\n')
    with unread:
        code, out, _ = run(["file", str(given), "--on-error", "skip"], err=unread)
    assert (code, out.count(b"\n")) == (0, 2)


@pytest.mark.parametrize(
    ("closed", "arguments", "code", "lines"),
    [
        ("2>&-", [*WARNED, "x"], 0, 1),
        ("<&-", ["text", "x"], 0, 1),
        ("<&-", ["text"], 3, 0),
        ("<&-", ["similar", "x"], 3, 0),
        ("<&-", ["rm", "bge-m3"], 4, 0),
        (">&-", ["text", "x"], 6, 0),
        (">&-", ["list"], 6, 0),
        ("<&- >&- 2>&-", ["text", "x"], 6, 0),
    ],
)
def test_a_stream_that_is_closed_breaks_only_what_needs_it(
    closed: str, arguments: list[str], code: int, lines: int
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "embedcli", *arguments],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.count(b"\n")) == (code, lines)
    assert b"Traceback" not in done.stderr


def test_ctrl_c_is_130_from_the_first_import_on(tmp_path: Path) -> None:
    stuck = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    (tmp_path / "typer.py").write_text(stuck)
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[1]}"
    done = embed("list", env={"PYTHONPATH": path})
    assert (done.code, done.err) == (130, "")


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    end, pipe = os.pipe()
    os.set_blocking(pipe, False)
    arguments = [sys.executable, "-m", "embedcli", "text", *"abcdefghijklmnopqrst"]
    with subprocess.Popen(arguments, stdout=pipe) as process, os.fdopen(end, "rb") as reader:
        os.close(pipe)
        assert reader.read().count(b"\n") == 20
        assert process.wait() == 0
