"""An optimised copy of a graph gives the same bits, and one that is not whole is made anew."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedcli import load
from embedcli.engine import copies
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.errors import ModelError
from embedcli.models import local
from embedcli.models.reference import parse
from embedcli.models.spec import ModelSpec

MODELS = Path(__file__).parent / "models"
IDS = np.arange(5, 25).reshape(4, 5)


def spec_of(name: str, file: str = "onnx/model.onnx") -> ModelSpec:
    found = local.find(parse(str(MODELS / name), onnx_file=file))
    assert found is not None
    return local.spec(found)


def states(spec: ModelSpec, folder: Path | None) -> bytes:
    return Session(spec, threads=1, copies=folder).run(IDS).tobytes()


LONG = "sky " * 40


@contextmanager
def large(folder: Path | None) -> Iterator[tuple[Embedder, list[int]]]:
    """Lend a model that says its graph is large, and the sessions that are opened, by threads."""
    spec, sessions = spec_of("bert"), list[int]()

    def open_session(threads: int) -> Session:
        sessions.append(threads)
        return Session(spec, threads=threads, copies=folder)

    tokenizer, limits = Tokenizer(spec.tokenizer), Limits(tokens=512, texts=32)
    told = replace(spec, size=600_000_000, max_tokens=40)
    with Embedder(told, tokenizer, open_session, threads=2, limits=limits) as embedder:
        yield embedder, sessions


@pytest.mark.parametrize("name", ["bert", "gemma3", "qwen3", "qwen3-past"])
def test_the_copy_gives_the_bits_of_the_graph(tmp_path: Path, name: str) -> None:
    spec = spec_of(name)
    plain, first, second = (states(spec, folder) for folder in (None, tmp_path, tmp_path))
    assert plain == first == second
    (copy,) = tmp_path.iterdir()
    assert copies.is_whole(copy)


def test_the_second_start_reads_the_copy(tmp_path: Path) -> None:
    spec = spec_of("bert")
    states(spec, tmp_path)
    (copy,) = tmp_path.iterdir()
    stamped = (copy / "stamp.json").stat().st_mtime_ns
    states(spec, tmp_path)
    assert (copy / "stamp.json").stat().st_mtime_ns == stamped


@pytest.mark.parametrize("file", ["model.onnx", "weights", "stamp.json"])
def test_a_damaged_copy_is_made_anew_without_a_word(
    tmp_path: Path, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_of("bert")
    plain = states(spec, tmp_path)
    (copy,) = tmp_path.iterdir()
    whole = (copy / file).read_bytes()
    (copy / file).write_bytes(whole[: len(whole) // 2])
    assert states(spec, tmp_path) == plain
    assert (copy / file).read_bytes() == whole
    assert capfd.readouterr() == ("", "")


def test_a_copy_of_another_graph_or_runtime_has_another_name() -> None:
    one, other = spec_of("bert"), spec_of("bert", "onnx/model_fp16.onnx")
    names = {
        copies.name(spec, runtime=runtime, provider=provider)
        for spec in (one, other)
        for runtime in ("1.32.0", "1.33.0")
        for provider in ("CPUExecutionProvider", "CUDAExecutionProvider")
    }
    assert len(names) == 8


def test_an_older_copy_makes_room_for_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "of-an-older-runtime").mkdir()
    (tmp_path / "in-the-making.1.part").mkdir()
    states(spec_of("bert"), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert "in-the-making.1.part" in names


def test_a_copy_that_fails_leaves_nothing_and_takes_what_others_left(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(spec_of("bert").graph.read_bytes()[:9000])
    folder = tmp_path / "copies"
    for name, age in (("killed.1.part", 9999), ("in-the-making.2.part", 0)):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (time.time() - age,) * 2)
    with pytest.raises(ModelError, match="cannot load the graph"):
        states(replace(spec_of("bert"), graph=damaged), folder)
    assert [path.name for path in folder.iterdir()] == ["in-the-making.2.part"]


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert states(spec_of("bert"), tmp_path / "file") == states(spec_of("bert"), None)


@pytest.mark.parametrize(("shared", "opened"), [(True, [1, 2]), (False, [1])])
def test_a_large_graph_gets_a_session_for_lone_texts_where_its_weights_are_shared(
    tmp_path: Path, shared: bool, opened: list[int]
) -> None:
    with large(tmp_path if shared else None) as (embedder, sessions):
        embedder.load()
        vectors = {embedder.embed([LONG]).tobytes() for _ in range(60)}
        assert (sessions, len(vectors)) == (opened, 1)


@pytest.mark.parametrize("shared", [True, False])
def test_company_of_a_large_graph_does_not_run_on_the_session_of_a_lone_text(
    tmp_path: Path, shared: bool
) -> None:
    with large(tmp_path if shared else None) as (embedder, sessions):
        alone = embedder.embed([LONG])[0].tobytes()
        assert embedder.embed([LONG, "other"])[0].tobytes() == alone
        assert embedder.embed([LONG])[0].tobytes() == alone
        assert sessions == [2, 1]


def test_small_graphs_and_folders_have_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBED_CACHE", str(tmp_path))
    with load(str(MODELS / "bert")) as embedder:
        embedder.embed(["red"])
    assert list(tmp_path.iterdir()) == []
