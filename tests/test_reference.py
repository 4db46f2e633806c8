"""A name as typed means one thing, on every machine and in every folder."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedcli import load
from embedcli.errors import EmbedError, ModelNotFound, UsageError
from embedcli.models import catalog
from embedcli.models.reference import Reference, parse


@pytest.mark.parametrize(
    "typed", ["all-minilm", "all-minilm:latest", "all-minilm:22m", "All-MiniLM"]
)
def test_the_bundled_model_has_several_names(typed: str) -> None:
    assert parse(typed) == Reference("all-minilm", file="onnx/model.onnx", bundled=True)


@pytest.mark.parametrize("typed", ["all-minilm:int8", "All-MiniLM:INT8", "all-minilm:22m-int8"])
def test_the_bundled_model_in_8_bits_has_a_tag(typed: str) -> None:
    assert parse(typed) == Reference("all-minilm:int8", file="onnx/model_int8.onnx", bundled=True)


def test_an_unknown_tag_lists_those_inside_the_package_too() -> None:
    with pytest.raises(ModelNotFound) as caught:
        parse("all-minilm:int4")
    assert "fp16, int8, l12-v2" in caught.value.hint


def test_a_bare_name_is_the_full_precision_graph_and_a_tag_another() -> None:
    full, quantised = parse("embeddinggemma"), parse("embeddinggemma:q8")
    assert (full.file, quantised.file) == ("onnx/model.onnx", "onnx/model_quantized.onnx")
    assert full.repo == quantised.repo == "onnx-community/embeddinggemma-300m-ONNX"
    assert parse("embeddinggemma:300m-q4").file == "onnx/model_q4.onnx"
    assert parse("qwen3-embedding").repo == parse("qwen3-embedding:0.6b").repo


def test_half_precision_embeddinggemma_is_never_offered() -> None:
    with pytest.raises(ModelNotFound, match="has no tag `fp16`"):
        parse("embeddinggemma:fp16")


@pytest.mark.parametrize("typed", ["./m", "../m", "/m", ".", ".."])
def test_a_folder_is_written_as_a_path(typed: str) -> None:
    assert parse(typed).folder == Path(typed)


def test_a_repo_may_name_its_revision() -> None:
    plain, pinned = parse("BAAI/bge-m3"), parse("BAAI/bge-m3@refs/pr/7")
    assert (plain.repo, plain.revision) == ("BAAI/bge-m3", "main")
    assert (pinned.repo, pinned.revision) == ("BAAI/bge-m3", "refs/pr/7")


def test_a_typing_mistake_is_answered_with_the_closest_name() -> None:
    with pytest.raises(ModelNotFound, match="model 'nomic-embed' not found") as caught:
        parse("nomic-embed")
    assert caught.value.hint == "did you mean `nomic-embed-text`?"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("MyModel", "for the folder of that name, write ./MyModel"),
        ("", "name a model of the catalogue (`embed list --all`), a hub repo (org/name) or "
         "a ./folder"),
    ],
)  # fmt: skip
def test_a_folder_of_that_name_is_pointed_to_but_never_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, hint: str
) -> None:
    (tmp_path / "MyModel").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound) as caught:
        load(typed)
    assert caught.value.hint == hint
    with pytest.raises(ModelNotFound) as told:
        parse("MyModel")
    assert "./MyModel" not in told.value.hint


@pytest.mark.parametrize(
    "typed",
    ["a/../b", "org/..", "a/b/c", "org/name@../../x", "org/name@/etc", "a--b/c", "org/na me",
     "org/name@", "a\\b", "org/name:q8", "", ":", "org/name@a//b"],
)  # fmt: skip
def test_no_name_leads_out_of_the_cache(typed: str) -> None:
    with pytest.raises(ModelNotFound):
        parse(typed)


@given(st.text(max_size=300))
def test_any_text_is_a_reference_or_a_plain_error(typed: str) -> None:
    try:
        found = parse(typed)
    except EmbedError:
        return
    for part in (found.repo or "", found.revision):
        assert ".." not in part
        assert not part.startswith("/")


@pytest.mark.parametrize("file", ["/etc/m.onnx", "../m.onnx", "a/../../m.onnx", "~/m.onnx", "a\\b"])
def test_a_graph_is_named_inside_its_model(file: str) -> None:
    with pytest.raises(UsageError, match="not a path inside"):
        parse("bge-m3", onnx_file=file)


def test_a_named_graph_replaces_the_usual_one() -> None:
    assert parse("bge-m3", onnx_file="./onnx/model_O4.onnx").file == "onnx/model_O4.onnx"
    assert not parse("all-minilm", onnx_file="onnx/model_fp16.onnx").bundled


def test_every_row_of_the_catalogue_is_sound() -> None:
    for name, rows in catalog.CATALOG.items():
        assert "latest" in rows, name
        for tag, row in rows.items():
            found = parse(f"{row.repo}@{row.revision}", onnx_file=row.file)
            assert (found.repo, found.file) == (row.repo, row.file), (name, tag)
    repos = {row.repo for rows in catalog.CATALOG.values() for row in rows.values()}
    exports_only = {"Xenova", "onnx-community", "Qdrant", "sirasagi62"}
    missing = {repo for repo in repos - set(catalog.KNOWN) if repo.split("/")[0] in exports_only}
    assert not missing, "an export without its original's files needs them in KNOWN"


def test_the_names_of_ollama_s_library_are_here() -> None:
    ollama = {
        "all-minilm", "embeddinggemma", "qwen3-embedding", "nomic-embed-text", "bge-large",
        "mxbai-embed-large", "bge-m3", "snowflake-arctic-embed", "snowflake-arctic-embed2",
        "granite-embedding", "paraphrase-multilingual",
    }  # fmt: skip
    assert ollama <= set(catalog.CATALOG)
