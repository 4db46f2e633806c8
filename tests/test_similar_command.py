"""`embed similar`, as a process: what it finds, how it says it, and what it refuses."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedcli import load
from tests.conftest import Finished, embed

FAQ = ["how do I reset my password?", "where is my parcel?", "how do I change my password?"]
QUERY = "reset my password"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with questions: as lines, as records, and as stored vectors of every kind."""
    folder = tmp_path_factory.mktemp("faq")
    (folder / "faq.txt").write_text("".join(f"{text}\n" for text in FAQ))
    records = [{"id": 10 + n, "q": text} for n, text in enumerate(FAQ)]
    (folder / "faq.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for out in ("v.jsonl", "v.npy", "v.parquet"):
        embed("file", folder / "faq.jsonl", "--field", "q", "-o", folder / out)
    embed("file", folder / "faq.txt", "-d", "64", "-o", folder / "short.npy")
    embed("file", folder / "faq.txt", "--prefix", "q: ", "-o", folder / "prefixed.npy")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let each test remember for itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def found(run: Finished) -> list[dict[str, Any]]:
    assert (run.code, run.err) == (0, "")
    return [json.loads(line) for line in run.out.splitlines()]


def test_two_texts_have_one_score() -> None:
    [row] = found(embed("similar", "a cat sat", "a dog slept"))
    one, other = load().embed(["a cat sat", "a dog slept"]).astype(np.float64)
    assert row == {
        "score": round(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), 6),
        "text": "a dog slept",
        "source": "argument",
        "line": 1,
    }


def test_lines_of_a_file_and_of_a_pipe_are_named(folder: Path) -> None:
    by_file = found(embed("similar", QUERY, "--in", folder / "faq.txt"))
    by_pipe = found(embed("similar", QUERY, stdin=(folder / "faq.txt").read_bytes()))
    assert [(row["text"], row["line"]) for row in by_file] == [
        (FAQ[0], 1),
        (FAQ[2], 3),
        (FAQ[1], 2),
    ]
    assert {row["source"] for row in by_file} == {str(folder / "faq.txt")}
    assert [row["score"] for row in by_file] == [row["score"] for row in by_pipe]


def test_the_callers_fields_come_along(folder: Path) -> None:
    rows = found(
        embed("similar", QUERY, "--in", folder / "faq.jsonl", "--field", "q", "--top", "1")
    )
    assert rows[0]["id"] == 10
    assert rows[0]["text"] == rows[0]["q"] == FAQ[0]


def test_no_field_of_the_callers_passes_for_a_result(tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    given.write_text('{"id":7,"line":99,"text":"a dog slept","source":"me","score":5}\n')
    [row] = found(embed("similar", "a cat sat", "--in", given))
    assert list(row) == ["score", "text", "source", "line", "id"]
    assert row["score"] < 1
    assert (row["text"], row["source"], row["line"]) == ("a dog slept", str(given), 1)


def test_stored_vectors_score_as_their_texts_do(folder: Path) -> None:
    texts = found(embed("similar", QUERY, "--in", folder / "faq.txt"))
    expected = [(row["score"], row["line"]) for row in texts]
    for name in ("v.jsonl", "v.npy", "v.parquet"):
        rows = found(embed("similar", QUERY, "--in", folder / name))
        assert [(row["score"], row["line"]) for row in rows] == expected
        assert all("embedding" not in row for row in rows)
    named = embed("similar", QUERY, "--in", folder / "v.npy", "--texts", folder / "faq.txt")
    assert [row["text"] for row in found(named)] == [row["text"] for row in texts]


def test_near_duplicates_of_stored_vectors_keep_their_fields(folder: Path) -> None:
    for name in ("v.jsonl", "v.parquet"):
        [row] = found(embed("similar", "--dedup", "0.8", "--in", folder / name))
        assert [(one["line"], one["id"], one["q"]) for one in row["group"]] == [
            (1, 10, FAQ[0]),
            (3, 12, FAQ[2]),
        ]
        assert all("embedding" not in one for one in row["group"])


@pytest.mark.parametrize("form", ["tsv", "table", "jsonl"])
def test_a_file_is_named_whatever_bytes_its_name_has(form: str, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.txt"
    with open(name, "w") as file:  # noqa: PTH123
        file.write("a\n")
    run = embed("similar", "x", "--in", os.fsdecode(name), "-f", form)
    assert (run.code, run.err) == (0, "")
    assert "\ufffd.txt" in run.out.decode()


def test_several_sources_are_ranked_together(folder: Path) -> None:
    rows = found(
        embed("similar", QUERY, QUERY, "--in", folder / "faq.txt", "--in", folder / "v.npy")
    )
    assert [row["source"] for row in rows[:3]] == [
        "argument",
        str(folder / "faq.txt"),
        str(folder / "v.npy"),
    ]
    assert len(rows) == 7


def test_top_and_min_score_choose(folder: Path) -> None:
    assert len(found(embed("similar", QUERY, "--in", folder / "faq.txt", "--top", "2"))) == 2
    assert (
        len(found(embed("similar", QUERY, "--in", folder / "faq.txt", "--min-score", "0.5"))) == 2
    )


@pytest.mark.parametrize(("least", "code"), [("0.2", 0), ("0.9", 1)])
def test_the_exit_code_alone_tells(least: str, code: int) -> None:
    run = embed("similar", "a cat sat", "a dog slept", "--min-score", least, "-q")
    assert (run.code, run.out, run.err) == (code, b"", "")


@pytest.mark.parametrize("how", [[], ["--matrix"], ["--dedup", "0.5"]])
def test_a_table_shows_a_text_as_it_is(how: list[str]) -> None:
    text = "[/docs] [bold]arr[i][/bold] :smile: 3.5"
    run = embed("similar", *how, "-f", "table", text, text, text)
    assert (run.code, run.err) == (0, "")
    assert text in run.out.decode()


def test_tsv_has_a_match_a_line() -> None:
    run = embed("similar", "a", "a", "tab\tand\nline", "-f", "tsv")
    lines = [line.split("\t") for line in run.out.decode().splitlines()]
    assert lines[0] == ["1.000000", "a", "argument", "1"]
    assert lines[1][1:] == ["tab and line", "argument", "2"]


def test_each_with_each() -> None:
    [square] = found(embed("similar", "--matrix", "one", "two", "three"))
    assert square["texts"] == ["one", "two", "three"]
    scores = np.array(square["scores"])
    np.testing.assert_array_equal(scores, scores.T)
    np.testing.assert_array_equal(np.diag(scores), 1)
    tsv = embed("similar", "--matrix", "one", "two", "-f", "tsv").out.decode().splitlines()
    assert tsv[0] == "\tone\ttwo"


def test_near_duplicates_are_grouped(folder: Path) -> None:
    run = embed("similar", "--dedup", "0.8", "--in", folder / "faq.txt")
    assert [[one["line"] for one in row["group"]] for row in found(run)] == [[1, 3]]


def test_dot_products_where_asked() -> None:
    rows = found(embed("similar", "a", "a", "--dot", "--no-normalize"))
    assert rows[0]["score"] > 2


def test_the_second_time_the_vectors_are_remembered(folder: Path, own_cache: Path) -> None:
    arguments = ("similar", QUERY, "--in", folder / "faq.txt")
    first = embed(*arguments)
    facts = json.loads(embed("cache", "info", "--json").out)
    assert facts["vectors"] == 3
    assert Path(facts["path"]).is_relative_to(own_cache)
    assert embed(*arguments).out == first.out == embed(*arguments, "--no-cache").out
    assert embed("cache", "clear").code == 0
    assert json.loads(embed("cache", "info", "--json").out)["vectors"] == 0


def on_a_terminal(*arguments: str | Path) -> str:
    main, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "embedcli", *arguments], stdout=side, stdin=side
    ) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                shown += os.read(main, 4096)
            except OSError:  # the other side is closed
                break
        assert process.wait() == 0
    os.close(main)
    return shown.decode()


def test_a_terminal_shows_a_table_and_a_pair_one_number(folder: Path) -> None:
    table = on_a_terminal("similar", QUERY, "--in", folder / "faq.txt")
    assert table.index(FAQ[0]) < table.index(FAQ[2]) < table.index(FAQ[1])
    assert "█" in table
    assert on_a_terminal("similar", "a", "a").strip() == "1.0000"
    assert "1.00" in on_a_terminal("similar", "--matrix", "one", "two")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ([], 2, "there is no query"),
        (["", "x"], 2, "the query is empty"),
        (["x", "--matrix", "--top", "3"], 2, "--top and --min-score choose among candidates"),
        (["x"], 3, "there is nothing to compare with"),
        (["x", "--in", "missing.txt"], 3, "cannot read `missing.txt`: no such file or directory"),
        (["x", "--in", "missing.npy"], 3, "cannot read `missing.npy`: no such file or directory"),
        (["x", "--in", "cube.npy"], 3, "`cube.npy` holds no vectors: it is an array (2, 2, 2)"),
        (["x", "--in", "nan.npy"], 3, "nan.npy:2: the vector holds NaN or infinity"),
        (["--matrix", "--in", "nan.npy"], 3, "nan.npy:2: the vector holds NaN or infinity"),
        (["x", "--in", "long.txt", "--no-truncate"], 3, "long.txt:2: too long: it has 302 tokens"),
        (["x", "--in", "narrow.npy"], 3, "the vectors of `narrow.npy` have 5 dimensions, the que"),
        (["x", "--in", "ragged.jsonl"], 3, "ragged.jsonl:2: the `embedding` holds not 384"),
        (["x", "--in", "short.npy"], 3, "the vectors of `short.npy` belong to another number of"),
        (
            ["x", "--in", "prefixed.npy"],
            3,
            "the vectors of `prefixed.npy` belong to another pr",
        ),
        (["x", "--in", "v.npy", "--texts", "one.txt"], 3, "`one.txt` has 1 texts, and `v.npy` 3 v"),
        (["x", "--in", "v.npy", "--texts", "5.txt", "--top", "1"], 3, "`5.txt` has 5 texts, and `"),
        (["--matrix", "--in", "v.npy", "--texts", "5.txt"], 3, "`5.txt` has 5 texts, and `v.npy`"),
        (["x", "--in", "v.jsonl", "--texts", "one.txt"], 2, "--texts names the texts of an NPY fi"),
    ],
)
def test_what_does_not_fit_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, error: str
) -> None:
    np.save(folder / "cube.npy", np.zeros((2, 2, 2), np.float32))
    np.save(folder / "nan.npy", np.array([[1] * 384, [np.nan] * 384], np.float32))
    np.save(folder / "narrow.npy", np.zeros((3, 5), np.float32))
    ragged = [{"embedding": [0.1] * width} for width in (384, 383)]
    (folder / "ragged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ragged))
    (folder / "one.txt").write_text("only one\n")
    (folder / "long.txt").write_text("short\n" + "long " * 300)
    (folder / "5.txt").write_text("a\n" * 5)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    run = embed("similar", *arguments)
    assert (run.code, run.out) == (code, b"")
    assert run.err.startswith(f"error: {error}")
    assert run.err.count("\n") <= 2


def test_an_array_never_runs_code(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    run = embed("similar", "x", "--in", tmp_path / "evil.npy")
    assert run.code == 3
    assert "Traceback" not in run.err
