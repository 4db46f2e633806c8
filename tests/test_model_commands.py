"""`embed list` and `show`, and what is said of a model that is run: by whom, and in one line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import embed

MODELS = Path(__file__).parent / "models"


def test_show_names_the_file_that_says_each_fact() -> None:
    run = embed("show", MODELS / "bert", "--json")
    shown = json.loads(run.out)
    said = {name: fact["source"] for name, fact in shown["facts"].items()}
    assert (run.code, said["pooling"], said["max_tokens"], said["dimensions"]) == (
        0, "1_Pooling/config.json", "sentence_bert_config.json", "modules.json",
    )  # fmt: skip
    assert shown["facts"]["dense"]["value"][0] == {
        "inputs": 16, "outputs": 24, "activation": "tanh",
    }  # fmt: skip
    layers = {"2_Dense/model.safetensors", "3_Dense/model.safetensors"}
    assert set(shown["sha256"]) == {"onnx/model.onnx", "tokenizer.json"} | layers


def test_other_weights_after_the_pooling_are_another_model(tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(MODELS / "bert", folder)
    (tmp_path / "a.txt").write_text("red\n")
    command = ("file", tmp_path / "a.txt", "-q", "-m", folder)
    env = {"EMBED_CACHE": str(tmp_path / "cache")}
    before = embed(*command, "--cache", env=env)
    weights = folder / "3_Dense" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-40] + bytes(40))
    after = embed(*command, "--cache", env=env)
    assert (before.code, after.code) == (0, 0)
    assert before.out != after.out == embed(*command).out


def test_show_prints_a_table_of_the_same() -> None:
    lines = embed("show", "all-minilm").out.decode().splitlines()
    assert ["max_tokens", "sentence_bert_config.json", "256"] in [line.split() for line in lines]


def test_a_model_that_is_not_here_is_not_shown() -> None:
    run = embed("show", "qwen3-embedding", env={"HF_HOME": str(MODELS)})
    assert (run.code, run.err.splitlines()) == (4, [
        "error: model 'qwen3-embedding' not found: it is not on this machine",
        "hint: embed pull qwen3-embedding",
    ])  # fmt: skip


def test_list_shows_the_bundled_models_and_on_request_every_name() -> None:
    env = {"HF_HOME": str(MODELS)}
    assert [line.split()[0] for line in embed("list", env=env).out.decode().splitlines()] == [
        "NAME", "all-minilm", "all-minilm:int8",
    ]  # fmt: skip
    names = [line.split()[0] for line in embed("list", "--all", env=env).out.decode().splitlines()]
    assert {"embeddinggemma", "embeddinggemma:q4", "bge-m3", "qwen3-embedding:8b"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bert", "--onnx-file", "onnx/model_quantized.onnx"], "note: `{}`: this graph quantises"),
        (["qwen3"], "warning: no file of `{}` says how its tokens are pooled: taking `last`"),
    ],
)
def test_what_a_user_must_know_of_a_model_is_said_once(arguments: list[str], said: str) -> None:
    name, *options = arguments
    run = embed("text", "-m", MODELS / name, *options, "a", "b")
    assert (run.code, run.err.count("\n")) == (0, 1)
    assert run.err.startswith(said.format(MODELS / name))
    assert embed("text", "-q", "-m", MODELS / name, *options, "a").err == ""


def test_a_pooling_that_is_given_silences_the_warning_and_changes_the_vector() -> None:
    last, mean = (
        embed("text", "-m", MODELS / "qwen3", "--pooling", way, "a b c") for way in ("last", "mean")
    )
    assert (last.err, mean.err) == ("", "")
    assert last.out != mean.out
    wrong = embed("text", "-m", MODELS / "qwen3", "--pooling", "median", "a")
    assert (wrong.code, wrong.err.startswith("error: there is no pooling `median`")) == (2, True)
