"""`embed file`, as a process: what is read, what is written, and what is said."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedcli.engine.embedder import Embedder
from tests.conftest import embed


def rows(content: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in content.splitlines()]


def vector(row: dict[str, object]) -> bytes:
    return np.array(row["embedding"], np.float32).tobytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands run in."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lines_become_json_lines_with_the_vectors_of_embed_text(
    there: Path, minilm: Embedder
) -> None:
    (there / "a.txt").write_bytes(b"one\r\n\ntwo words")
    (there / "b.txt").write_bytes(b"")
    run = embed("file", "a.txt", "b.txt")
    assert run.code == 0
    found = rows(run.out)
    assert [(row["text"], row["tokens"]) for row in found] == [
        ("one", 3),
        ("", 2),
        ("two words", 4),
    ]
    for row in found:
        assert vector(row) == minilm.embed([str(row["text"])])[0].tobytes()
    assert run.err.startswith("3 rows, 9 tokens in ")


def test_the_same_bytes_go_into_a_pipe_and_into_a_file(there: Path) -> None:
    run = embed("file", "-", stdin=b"one\ntwo\n")
    assert embed("file", "-", "-o", "v.jsonl", "-q", stdin=b"one\ntwo\n").err == ""
    assert (there / "v.jsonl").read_bytes() == run.out
    assert names(there) == ["v.jsonl", "v.jsonl.meta.json"]


def test_json_fields_stay_as_they_were_spelled(there: Path) -> None:
    (there / "a.jsonl").write_bytes(b'{ "id":1.50, "t":{"x":"hi"} , "z":[ ]}\n')
    run = embed("file", "a.jsonl", "--field", "t.x", "-d", "2")
    assert run.out.startswith(
        b'{ "id":1.50, "t":{"x":"hi"} , "z":[ ],"tokens":3,"truncated":false,"embedding":['
    )
    bare = embed("file", "a.jsonl", "--field", "t.x", "-d", "2", "--no-text")
    assert bare.out.startswith(b'{"id":1.50,"t":{},"z":[ ],"tokens":3,')


def test_a_field_named_like_ours_stops_the_run_unless_it_may_be_replaced(there: Path) -> None:
    (there / "a.jsonl").write_bytes(b'{"tokens":7,"text":"hi"}\n')
    run = embed("file", "a.jsonl", "-o", "v.jsonl")
    assert (run.code, run.out, names(there)) == (3, b"", ["a.jsonl"])
    assert run.err == (
        "error: a.jsonl:1: there is a field `tokens` already\n"
        "hint: let it be overwritten with --replace\n"
    )
    assert embed("file", "a.jsonl", "--replace").out.startswith(b'{"text":"hi","tokens":3,')


def test_npy_holds_a_row_a_record(there: Path, minilm: Embedder) -> None:
    (there / "a.txt").write_bytes(b"one\ntwo\n")
    assert embed("file", "a.txt", "-o", "v.npy").code == 0
    assert np.load("v.npy").tobytes() == minilm.embed(["one", "two"]).tobytes()
    assert embed("file", "a.txt", "-o", "h.npy", "--dtype", "float16", "-d", "8").code == 0
    assert (np.load("h.npy").shape, np.load("h.npy").dtype) == ((2, 8), np.float16)


@pytest.mark.usefixtures("there")
def test_parquet_keeps_columns_and_their_types(minilm: Embedder) -> None:
    table = pa.table({"n": pa.array([1, 2], pa.uint8()), "text": ["one", "two"]})
    pq.write_table(table, "a.parquet")
    assert embed("file", "a.parquet", "-o", "v.parquet").code == 0
    made = pq.read_table("v.parquet")
    assert made.schema.names == ["n", "text", "tokens", "truncated", "embedding"]
    assert made.select(["n", "text"]).equals(table)
    assert made.schema.field("embedding").type == pa.list_(pa.float32(), 384)
    flat = made["embedding"].combine_chunks().flatten().to_numpy()
    assert flat.tobytes() == minilm.embed(["one", "two"]).tobytes()


def test_json_becomes_parquet_whatever_its_fields_hold(there: Path) -> None:
    lines = [
        {"text": "one", "n": 1, "mixed": 1, "none": None, "o": {"a": 1}, "empty": {}},
        {"text": "two", "n": 2.5, "mixed": "x", "o": {"b": "y"}, "late": [1]},
    ]
    (there / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert embed("file", "a.jsonl", "-o", "v.parquet").code == 0
    made = pq.read_table("v.parquet").drop_columns(["embedding", "tokens", "truncated"])
    assert made.to_pydict() == {
        "text": ["one", "two"],
        "n": [1.0, 2.5],
        "mixed": ["1", "x"],
        "none": [None, None],
        "o": [{"a": 1, "b": None}, {"a": None, "b": "y"}],
        "empty": ["{}", None],
        "late": [None, [1]],
    }


def test_a_named_format_is_compressed_as_out_is_named(there: Path) -> None:
    named = embed("file", "-", "-o", "a.jsonl.gz", "-f", "jsonl", "-d", "2", stdin=b"one\n")
    assert named.code == 0
    assert embed("file", "-", "-o", "b.gz", "-f", "jsonl", "-d", "2", stdin=b"one\n").code == 0
    plain = embed("file", "-", "-d", "2", stdin=b"one\n").out
    for name in ("a.jsonl.gz", "b.gz"):
        assert gzip.decompress((there / name).read_bytes()) == plain


def test_a_missing_compressor_is_said_before_anything_is_embedded(there: Path) -> None:
    (there / "hidden").mkdir()
    (there / "hidden" / "zstandard.py").write_text("raise ModuleNotFoundError")
    path = os.pathsep.join([str(there / "hidden"), os.environ["PYTHONPATH"]])
    run = embed("file", "-", "-o", "v.jsonl.zst", stdin=b"one\n", env={"PYTHONPATH": path})
    assert (run.code, names(there)) == (2, ["hidden"])
    assert run.err.startswith("error: zst needs the package zstandard, which is not installed\n")


@pytest.mark.parametrize("name", ["v.jsonl", "v.jsonl.gz", "v.npy", "v.parquet"])
def test_nothing_makes_a_valid_file_of_nothing(name: str, there: Path) -> None:
    assert embed("file", "-", "-o", name).code == 0
    content = (there / name).read_bytes()
    match name:
        case "v.jsonl":
            assert content == b""
        case "v.jsonl.gz":
            assert gzip.decompress(content) == b""
        case "v.npy":
            assert np.load(name).shape == (0, 384)
        case _:
            assert pq.read_table(name).num_rows == 0


def test_windows_carry_their_place_and_their_parents_fields(there: Path) -> None:
    text = "one two three four five"
    (there / "a.jsonl").write_text(json.dumps({"text": text, "id": 7}))
    run = embed("file", "a.jsonl", "--chunk", "5", "--overlap", "1")
    keys = ["text", "id", "chunk", "start", "end", "tokens", "truncated", "embedding"]
    found = rows(run.out)
    assert [list(row) for row in found] == [keys, keys]
    assert [[row[key] for key in keys[:5]] for row in found] == [
        ["one two three ", 7, 0, 0, 14],
        ["three four five", 7, 1, 8, 23],
    ]
    assert text[8:23] == "three four five"


def test_windows_in_parquet_stand_in_the_order_of_json(there: Path) -> None:
    (there / "a.jsonl").write_text(json.dumps({"text": "one two three four five", "id": 7}))
    arguments = ["file", "a.jsonl", "--chunk", "5", "--template", "{text}", "--replace"]
    keys = list(rows(embed(*arguments).out)[0])
    assert embed(*arguments, "-o", "v.parquet").code == 0
    assert pq.read_schema("v.parquet").names == keys
    assert keys == ["id", "text", "chunk", "start", "end", "tokens", "truncated", "embedding"]


def test_columns_of_the_caller_are_not_taken_for_ours(there: Path) -> None:
    (there / "a.jsonl").write_text(json.dumps({"start": None, "text": "one", "end": {}}))
    assert embed("file", "a.jsonl", "-o", "v.parquet").code == 0
    made = pq.read_table("v.parquet")
    assert made.schema.names == ["start", "text", "end", "tokens", "truncated", "embedding"]
    assert made.select(["start", "end"]).to_pylist() == [{"start": None, "end": "{}"}]


def test_meta_says_what_made_the_vectors(there: Path) -> None:
    embed("file", "-", "-o", "v.npy", "-d", "8", "--prefix", "q: ", stdin=b"one\n")
    meta = json.loads((there / "v.npy.meta.json").read_text())
    wanted = {"model": "all-minilm", "dimensions": 8, "prefix": "q: ", "rows": 1, "tokens": 5}
    assert wanted.items() <= meta.items()
    assert sorted(meta["files"]) == ["onnx/model.onnx", "tokenizer.json"]


def test_a_bad_record_stops_the_run_with_its_place(there: Path) -> None:
    (there / "a.jsonl").write_bytes(b'{"text":"one"}\nnonsense\n{"text":"two"}\n')
    run = embed("file", "a.jsonl", "-o", "v.jsonl")
    assert run.code == 3
    assert run.err.startswith("error: a.jsonl:2: not JSON: ")
    assert names(there) == [
        "a.jsonl",
        "v.jsonl.journal",
        "v.jsonl.partial",
        "v.jsonl.rejects.jsonl.partial",
    ]


def test_bad_records_are_set_aside_where_that_is_wanted(there: Path) -> None:
    (there / "a.jsonl").write_bytes(b'{"text":"one"}\nno \xff\n{"text":"two"}\n{"text":1e999}\n')
    assert embed("file", "a.jsonl", "-o", "v.jsonl").code == 3
    run = embed("file", "a.jsonl", "-o", "v.jsonl", "--on-error", "skip")
    assert run.code == 0
    assert "2 records were set aside: v.jsonl.rejects.jsonl" in run.err
    assert [row["text"] for row in rows((there / "v.jsonl").read_bytes())] == ["one", "two"]
    assert [
        (row["source"], row["line"], row["record"])
        for row in rows((there / "v.jsonl.rejects.jsonl").read_bytes())
    ] == [("a.jsonl", 2, "no \ufffd"), ("a.jsonl", 4, '{"text":1e999}')]


def test_records_set_aside_are_where_the_summary_says(there: Path) -> None:
    arguments = ["file", "-", "--on-error", "skip"]
    piped = embed(*arguments, stdin=b"one\nno \xff\n")
    assert piped.err.startswith('{"source":"stdin","line":2,')
    assert piped.err.endswith("\n1 records were set aside\n")
    (there / "real").mkdir()
    (there / "v.jsonl").symlink_to(there / "real" / "w.jsonl")
    linked = embed(*arguments, "-o", "v.jsonl", stdin=b"one\nno \xff\n")
    told = linked.err.splitlines()[-1].removeprefix("1 records were set aside: ")
    assert rows(Path(told).read_bytes())[0]["line"] == 2


@pytest.mark.parametrize("array", [b'[{"text":"one"}]', b'[\n  {"text":"one"}\n]\n'])
def test_an_array_is_told_how_to_become_lines(array: bytes, there: Path) -> None:
    (there / "a.json").write_bytes(array)
    run = embed("file", "a.json")
    assert run.code == 3
    assert run.err.endswith("hint: jq -c '.[]' a.json  # makes lines of an array\n")


def test_a_run_without_rejects_leaves_none_of_an_older_run(there: Path) -> None:
    arguments = ["file", "a.jsonl", "-o", "v.jsonl", "--on-error", "skip"]
    (there / "a.jsonl").write_bytes(b"nonsense\n")
    assert embed(*arguments).code == 0
    assert "v.jsonl.rejects.jsonl" in names(there)
    (there / "a.jsonl").write_bytes(b'{"text":"mended"}\n')
    assert embed(*arguments).code == 0
    assert names(there) == ["a.jsonl", "v.jsonl", "v.jsonl.meta.json"]


def test_a_text_that_may_not_be_cut_is_a_bad_record(there: Path) -> None:
    (there / "a.txt").write_text("one\n" + "long " * 300 + "\ntwo\n")
    arguments = ["file", "a.txt", "--no-truncate"]
    run = embed(*arguments)
    assert (run.code, len(rows(run.out))) == (3, 1)
    assert run.err.startswith("error: a.txt:2: too long: it has 302 tokens, the limit is 256\n")
    run = embed(*arguments, "--on-error", "skip", "-o", "v.jsonl")
    assert (run.code, len(rows((there / "v.jsonl").read_bytes()))) == (0, 2)


def test_texts_that_were_cut_are_counted(there: Path) -> None:
    (there / "a.txt").write_text("one\n" + "long " * 300 + "\n")
    run = embed("file", "a.txt", "-o", "v.npy")
    assert "1 texts were cut; the longest has 1,500 characters: a.txt:2\n" in run.err


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["missing.txt"], 3, "cannot read `missing.txt`: no such file or directory"),
        (["."], 3, "cannot read `.`: is a directory"),
        (["a.txt", "-o", "a.txt"], 2, "`a.txt` or its rejects are an input, too"),
        (["a.rejects.jsonl", "-o", "a"], 2, "`a` or its rejects are an input, too"),
        (["a.txt", "-o", "v.xml"], 2, "`v.xml` does not say its format"),
        (["a.txt", "-o", "v.npy.gz"], 2, "`--format npy` is not compressed"),
        (["a.txt", "-f", "npy"], 2, "`--format npy` needs a file to go to"),
        (["a.txt", "-o", "."], 2, "`.` is a folder"),
        (["a.txt", "-o", "no/v.npy"], 6, "cannot write `no/v.npy`: no such file or directory"),
        (["a.txt", "--chunk", "257"], 2, "windows of 257 tokens are not possible"),
        (["a.txt", "--overlap", "3"], 2, "--overlap needs windows that overlap"),
        (["a.txt", "--field", "x"], 2, "`a.txt` holds plain text, which has no fields"),
        (["-", "a.txt", "--field", "x"], 2, "`-` holds plain text, which has no fields"),
        (["a.jsonl", "a.txt", "--field", "x"], 2, "`a.txt` holds plain text, which has no fields"),
        (["a.jsonl", "--template", "body"], 2, "the template `body` names no field"),
        (["a.txt", "--whole", "-0"], 2, "--whole and --null cannot go together"),
        (["a.txt", "--whole", "--input-format", "csv"], 2, "--whole reads plain text, not"),
        (["a.txt", "-0", "--input-format", "jsonl.gz"], 2, "--null reads plain text, not"),
        (["a.txt", "--cache", "--server", "h:1"], 2, "--cache cannot keep the vectors of a server"),
        (["a.txt", "-d", "385"], 2, "385 dimensions are not possible"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    arguments: list[str], code: int, error: str, there: Path
) -> None:
    (there / "a.txt").write_text("one\n")
    run = embed("file", *arguments)
    assert (run.code, run.out) == (code, b"")
    assert run.err.startswith(f"error: {error}"), run.err
    assert names(there) == ["a.txt"]


def test_a_reader_that_leaves_early_is_no_error(there: Path) -> None:
    (there / "a.txt").write_text("one\n" * 2000)
    run = subprocess.run(
        f"{sys.executable} -m embedcli file a.txt | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", capture_output=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr, len(rows(run.stdout))) == (0, b"", 1)


def test_a_device_is_written_to_and_not_replaced(there: Path) -> None:
    (there / "a.txt").write_text("one\n")
    os.mkfifo(there / "pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE) as reader:
        assert embed("file", "a.txt", "-o", "pipe", "-f", "jsonl").code == 0
        assert reader.stdout is not None
        assert len(rows(reader.stdout.read())) == 1
    assert (there / "pipe").is_fifo()
    full = embed("file", "a.txt", "-o", "/dev/full")
    assert full.code == 6
    assert full.err.startswith("error: cannot write to /dev/full: ")


def test_an_estimate_counts_and_writes_nothing(there: Path) -> None:
    (there / "a.txt").write_text("one\n" * 100)
    run = embed("file", "a.txt", "-o", "v.jsonl", "--estimate")
    assert run.code == 0
    said = dict(line.split(None, 1) for line in run.out.decode().splitlines())
    assert (said["rows"], said["tokens"], said["from"]) == ("100", "300", "all of the input")
    assert names(there) == ["a.txt"]
