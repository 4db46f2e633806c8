"""Nothing is lost: runs that are killed, continued, refused, and kept apart."""

import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedcli.engine.embedder import Embedder
from embedcli.errors import InputError, OutputError, UsageError
from embedcli.formats.inputs import Reading
from embedcli.formats.outputs import kind_of
from embedcli.formats.shape import Shape
from embedcli.job import Job, to_file
from embedcli.journal import BEGINNING, Checkpoint, Journal
from embedcli.records import Options
from tests.conftest import embed
from tests.test_file import names, there

__all__ = ["there"]  # a fixture

META = ("", ".meta.json")
LINES = "".join(f"the text of line {i} of many\n" for i in range(500))


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "embedcli", "file", *arguments]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ended(process: "subprocess.Popen[bytes]", partial: Path, *, size: int) -> bool:
    """Wait till `partial` has a size, or the process has ended; return whether it has."""
    while process.poll() is None:
        if partial.exists() and partial.stat().st_size >= size:
            return False
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    return True


def job_of(embedder: Embedder, source: Path, out: str) -> Job:
    how, kind = Reading(), kind_of(out, None)
    shape = Shape(how.selection())
    return Job(
        [str(source)], how, embedder, embedder, Options(), shape, None, kind, "float32", False
    )


def undisturbed(embedder: Embedder, source: Path, out: Path) -> bytes:
    """Return what a run that nobody kills makes of the lines of `source`."""
    to_file(job_of(embedder, source, out.name), out, lambda _: None, restart=False)
    return out.read_bytes()


@pytest.mark.parametrize("name", ["v.jsonl", "v.jsonl.gz", "v.npy", "v.parquet"])
def test_a_run_killed_at_random_ends_with_the_bytes_of_one_that_was_not(
    name: str, there: Path, minilm: Embedder
) -> None:
    (there / "a.txt").write_text(LINES)
    whole = undisturbed(minilm, there / "a.txt", there / f"whole-{name}")
    for _ in range(2):
        with start("a.txt", "-o", name) as process:
            size = random.randrange(len(whole))
            if not ended(process, there / f"{name}.partial", size=size):
                process.kill()
    assert embed("file", "a.txt", "-o", name).code == 0
    assert (there / name).read_bytes() == whole
    assert names(there) == ["a.txt", *(f"{o}{name}{m}" for o in ("", "whole-") for m in META)]


def interrupted(there: Path, *arguments: str) -> None:
    """Leave the partial work of a run that stopped at a bad record after a good one."""
    (there / "a.txt").write_bytes(b"one\nb\xff\n")
    assert embed("file", "a.txt", "-o", "v.jsonl", *arguments).code == 3


def test_partial_work_of_other_options_is_refused_until_a_restart(there: Path) -> None:
    interrupted(there, "-d", "8")
    run = embed("file", "a.txt", "-o", "v.jsonl", "-d", "4")
    assert run.code == 2
    assert run.err == (
        "error: `v.jsonl` was begun by another run: dimensions was `8`, is now `4`\n"
        "hint: run that command again to continue it, or add --restart to begin anew\n"
    )
    anew = embed("file", "a.txt", "-o", "v.jsonl", "-d", "4", "--restart", "--on-error", "skip")
    assert anew.code == 0
    assert (there / "v.jsonl").read_bytes().count(b",") == 2 + 4


def test_partial_work_of_another_device_is_refused(there: Path, minilm: Embedder) -> None:
    (there / "a.txt").write_bytes(b"one\nb\xff\n")
    job = job_of(minilm, there / "a.txt", "v.jsonl")
    with pytest.raises(InputError):
        to_file(job, there / "v.jsonl", lambda _: None, restart=False)
    with pytest.raises(UsageError, match="--device was `cpu`, is now `cuda`"):
        to_file(replace(job, device="cuda"), there / "v.jsonl", lambda _: None, restart=False)


def test_partial_work_of_other_input_is_refused(there: Path) -> None:
    interrupted(there)
    (there / "a.txt").write_bytes(b"eins\ntwo\n")
    run = embed("file", "a.txt", "-o", "v.jsonl")
    assert run.code == 3
    assert "the input is not the one that the partial output of 1 rows was made from" in run.err


@pytest.mark.usefixtures("there")
def test_other_columns_of_a_table_are_other_input() -> None:
    arguments = ("file", "a.parquet", "-o", "v.jsonl")
    pq.write_table(pa.table({"text": ["one", None], "n": [1, 2]}), "a.parquet")
    assert embed(*arguments).code == 3
    pq.write_table(pa.table({"text": ["one", "two"], "n": [9, 2]}), "a.parquet")
    assert "the input is not the one" in embed(*arguments).err
    pq.write_table(pa.table({"text": ["one", "two"], "n": [1, 2]}), "a.parquet")
    assert embed(*arguments).code == 0


@pytest.mark.parametrize("name", ["v.jsonl", "v.jsonl.gz", "v.npy", "v.parquet"])
def test_a_mended_record_is_gone_on_with(name: str, there: Path, minilm: Embedder) -> None:
    mended = "".join(f'{{"text":"text {n}","n":{n}}}\n' for n in range(300))
    (there / "a.jsonl").write_text(mended.replace('"text 250"', "null"))
    stopped = embed("file", "a.jsonl", "-o", name)
    assert stopped.err.startswith("error: a.jsonl:251: the field `text` is null, not a text\n")
    work = (there / f"{name}.partial").read_bytes()
    (there / "a.jsonl").write_text(mended)
    assert embed("file", "a.jsonl", "-o", name).code == 0
    whole = undisturbed(minilm, there / "a.jsonl", there / f"whole-{name}")
    assert (there / name).read_bytes() == whole
    assert len(work) > 200


def test_a_pipe_that_brings_other_texts_is_refused(there: Path) -> None:
    arguments = ("file", "-", "-o", "v.jsonl")
    assert embed(*arguments, stdin=b"one\nb\xff\n").code == 3
    run = embed(*arguments, stdin=b"eins\ntwo\n")
    assert run.code == 3
    assert "the input is not the one" in run.err
    assert embed(*arguments, stdin=b"one\ntwo\n").code == 0
    assert (there / "v.jsonl").read_bytes().count(b"\n") == 2


def limited(size: int) -> None:
    """Let this process write files of `size` bytes only, as on a disk that is full then."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_leaves_the_old_file_and_keeps_the_work(there: Path, minilm: Embedder) -> None:
    name = "v.jsonl"
    (there / "a.txt").write_text("".join(f"line {i} {'long ' * 200}\n" for i in range(40)))
    (there / name).write_text("yesterday")
    command = [sys.executable, "-m", "embedcli", "file", "a.txt", "-o", name, "--threads", "1"]
    full = subprocess.run(
        command, preexec_fn=lambda: limited(100_000), capture_output=True, check=False
    )
    assert full.returncode == 6
    assert full.stderr.startswith(f"error: cannot write `{name}`: file too large\n".encode())
    assert (there / name).read_text() == "yesterday"
    assert b'"tokens"' in (there / f"{name}.journal").read_bytes()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert names(there) == ["a.txt", name, f"{name}.meta.json"]
    whole = undisturbed(minilm, there / "a.txt", there / "whole.jsonl")
    assert (there / name).read_bytes() == whole


def test_ctrl_c_leaves_work_to_continue(there: Path) -> None:
    (there / "a.txt").write_text(LINES * 30)
    with start("a.txt", "-o", "v.npy") as process:
        assert not ended(process, there / "v.npy.partial", size=500_000)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert b'"tokens"' in (there / "v.npy.journal").read_bytes()


Open = Callable[..., Journal]


@pytest.fixture
def journal(tmp_path: Path) -> Open:
    def opened(restart: bool = False, **identity: object) -> Journal:
        return Journal(tmp_path / "out", identity, head=b"head", restart=restart)

    return opened


def test_a_second_run_on_the_same_output_is_refused(journal: Open) -> None:
    with journal(), pytest.raises(OutputError, match="is being written by another run"):
        journal()


def test_work_is_continued_behind_the_last_checkpoint(journal: Open, tmp_path: Path) -> None:
    with journal(a=1) as first:
        first.append(b" safe")
        first.mark(Checkpoint(rows=5, digest="d"))
        first.append(b" torn" * 20_000)
    with journal(a=1) as second:
        assert (second.checkpoint.rows, second.checkpoint.digest) == (5, "d")
        second.append(b" more")
        second.mark(Checkpoint(rows=6))
    assert (tmp_path / "out.partial").read_bytes() == b"head safe more"


@pytest.mark.parametrize("lost", range(1, 400, 7))
def test_a_journal_may_break_off_anywhere(lost: int, journal: Open, tmp_path: Path) -> None:
    with journal() as first:
        for rows in range(1, 4):
            first.append(b"row\n")
            first.mark(Checkpoint(rows=rows))
    page = (tmp_path / "out.journal").read_bytes()
    (tmp_path / "out.journal").write_bytes(page[:-lost])
    with journal() as second:
        rows = second.checkpoint.rows
        second.append(b"!")
        second.mark(Checkpoint(rows=9))
    assert (tmp_path / "out.partial").read_bytes() == b"head" + b"row\n" * rows + b"!"
    with journal() as third:
        assert third.checkpoint.rows == 9


def test_a_journal_stays_short_and_locked_however_many_checkpoints(
    journal: Open, tmp_path: Path
) -> None:
    with journal(a=1) as first:
        for rows in range(1, 31):
            first.append(b" row")
            first.mark(Checkpoint(rows=rows, counts={"longest_at": "x" * 30_000}))
            assert (tmp_path / "out.journal").stat().st_size < 300_000
        with pytest.raises(OutputError, match="is being written by another run"):
            journal(a=1)
    with journal(a=1) as second:
        assert second.checkpoint.rows == 30
        second.publish(lambda partial: partial)
        second.tidy()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"head" + b" row" * 30


def test_a_partial_file_shorter_than_the_journal_says_is_continued_where_it_can_be(
    journal: Open, tmp_path: Path
) -> None:
    with journal() as first:
        for rows in (1, 2):
            first.append(b"row\n")
            first.mark(Checkpoint(rows=rows))
    (tmp_path / "out.partial").write_bytes(b"headrow\nro")
    with journal() as second:
        assert second.checkpoint.rows == 1


def test_a_run_killed_between_the_rename_and_the_tidying_up_is_complete(
    journal: Open, tmp_path: Path
) -> None:
    with journal() as first:
        first.append(b" row")
        first.mark(Checkpoint(rows=1))
        first.publish(lambda partial: partial)
    with journal() as second:
        assert (second.complete, second.checkpoint.rows) == (True, 1)
        second.tidy()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out").read_bytes() == b"head row"


def test_a_refusal_names_what_differs(journal: Open) -> None:
    with journal(same=1, other=2, gone=3) as first:
        first.mark(Checkpoint(rows=1))
    with pytest.raises(
        UsageError, match="other was `2`, is now `4`; gone was `3`, is now not given"
    ):
        journal(same=1, other=4)
    with journal(restart=True, other=4) as anew:
        assert anew.checkpoint == Checkpoint(written=4)


def test_nothing_is_left_where_nothing_was_done(journal: Open, tmp_path: Path) -> None:
    with journal() as first:
        assert first.checkpoint.rows == BEGINNING.rows
    assert names(tmp_path) == []
