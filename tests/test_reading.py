"""Every fact of a model comes from the best source that says it, and the source is remembered."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from embedcli.errors import ModelError, UsageError
from embedcli.models import reading
from embedcli.models.spec import Activation, Known, ModelSpec, Pooling

Outputs = Mapping[str, Sequence[int | str]]
Make = Callable[..., Path]

HIDDEN: Outputs = {"last_hidden_state": ("batch", "sequence", 16)}
POOLED: Outputs = {**HIDDEN, "sentence_embedding": ("batch", 8)}
OLD = "sentence_transformers.models."
NEW = "sentence_transformers.base.modules."


def _graph(outputs: Outputs, inputs: Sequence[str], operator: str) -> bytes:
    puts = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"]) for name in inputs]
    gets = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in outputs.items()
    ]
    nodes = [helper.make_node(operator, [inputs[0]], [name]) for name in outputs]
    made: bytes = helper.make_model(helper.make_graph(nodes, "g", puts, gets)).SerializeToString()
    return made


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes a model's folder: JSON files by name, and a graph."""

    def folder(
        files: Mapping[str, object],
        outputs: Outputs = HIDDEN,
        inputs: Sequence[str] = ("input_ids", "attention_mask"),
        operator: str = "Cast",
    ) -> Path:
        for name, value in {"tokenizer.json": {}, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        (tmp_path / "onnx").mkdir(exist_ok=True)
        (tmp_path / "onnx" / "model.onnx").write_bytes(_graph(outputs, inputs, operator))
        return tmp_path

    return folder


def _read(folder: Path, known: Known | None = None, pooling: Pooling | None = None) -> ModelSpec:
    graph = folder / "onnx" / "model.onnx"
    return reading.read(folder, graph, name="./m", known=known, pooling=pooling)


def _modules(*kinds: str, old: bool = True) -> list[dict[str, object]]:
    return [
        {"idx": i, "path": f"{i}_{kind}" if i else "", "type": (OLD if old else NEW) + kind}
        for i, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ["cls"]),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, ["max", "mean"]),
        ({"pooling_mode_lasttoken": True}, ["last"]),
        ({"pooling_mode_mean_tokens": False}, ["mean"]),
        ({"pooling_mode": "weightedmean"}, ["weighted_mean"]),
        ({"pooling_mode": ["mean_sqrt_len_tokens", "cls"]}, ["mean_sqrt", "cls"]),
    ],
)
def test_both_spellings_of_pooling_are_read(
    make: Make, config: dict[str, object], expected: list[str]
) -> None:
    files = {"modules.json": _modules("Transformer", "Pooling"), "1_Pooling/config.json": config}
    spec = _read(make(files, outputs={"token_embeddings": ("b", "t", 16)}))
    assert spec.pooling == tuple(expected)
    assert (spec.dimensions, spec.output) == (16 * len(expected), "token_embeddings")
    assert spec.sources["pooling"] == "1_Pooling/config.json"


def test_what_a_graph_already_does_is_not_done_twice(make: Make) -> None:
    files = {
        "modules.json": _modules("Transformer", "Pooling", "Dense", "Normalize"),
        "1_Pooling/config.json": {"pooling_mode_cls_token": True},
        "2_Dense/config.json": {"in_features": 16, "out_features": 4},
        "2_Dense/model.safetensors": {},
    }
    spec = _read(make(files, outputs=POOLED))
    assert (spec.output, spec.pooling, spec.dense) == ("sentence_embedding", (), ())
    assert (spec.dimensions, spec.sources["dense"]) == (8, "the graph")


def test_a_graph_that_pools_needs_no_file_of_what_it_does_itself(make: Make) -> None:
    files = {
        "modules.json": _modules("Transformer", "Pooling", "Dense", "LSTM", "Normalize"),
        "1_Pooling/config.json": {"pooling_mode": "attention", "include_prompt": False},
        "2_Dense/config.json": {"in_features": 16, "out_features": 4},
    }
    spec = _read(make(files, outputs=POOLED))
    assert (spec.output, spec.dimensions, spec.dense) == ("sentence_embedding", 8, ())
    assert (spec.normalize, spec.include_prompt) == (True, False)
    unsaid = _read(make(files, outputs={"sentence_embedding": ("b", "dimension")}))
    assert unsaid.dimensions == 4
    with pytest.raises(ModelError, match="attention"):
        _read(make(files))


def test_a_pooling_option_wins_over_the_graph_and_fails_where_it_cannot(make: Make) -> None:
    spec = _read(make({}, outputs=POOLED), pooling=Pooling.CLS)
    assert (spec.output, spec.pooling) == ("last_hidden_state", (Pooling.CLS,))
    with pytest.raises(UsageError, match="pools by itself"):
        _read(make({}, outputs={"sentence_embedding": ("b", 8)}), pooling=Pooling.CLS)


@pytest.mark.parametrize("old", [True, False])
def test_dense_layers_are_read_in_order_with_their_activations(make: Make, old: bool) -> None:
    files = {
        "modules.json": _modules("Transformer", "Pooling", "Dense", "Dense", old=old),
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True},
        "2_Dense/config.json": {"in_features": 16, "out_features": 32, "bias": False},
        "3_Dense/config.json": {
            "in_features": 32,
            "out_features": 4,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
        "2_Dense/model.safetensors": {},
        "3_Dense/model.safetensors": {},
    }
    spec = _read(make(files))
    wide, narrow = spec.dense
    assert (wide.activation, wide.bias, wide.outputs) == (Activation.TANH, False, 32)
    assert (narrow.activation, narrow.bias) == (Activation.IDENTITY, True)
    assert (spec.dimensions, spec.normalize) == (4, False)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"modules.json": _modules("Transformer", "WeightedLayerPooling")}, "WeightedLayerPooling"),
        ({"modules.json": _modules("Transformer", "Pooling", "Normalize", "Dense")}, "`Dense`"),
        ({"modules.json": [{"type": OLD + "Pooling", "path": "../up"}]}, "leads out of"),
        ({"1_Pooling/config.json": {"pooling_mode": "median"}}, "median"),
        ({"config.json": ["not", "an", "object"]}, "should hold objects"),
        ({"sentence_bert_config.json": {"max_seq_length": "long"}}, "`max_seq_length` should be"),
    ],
)
def test_what_is_not_understood_is_an_error_and_not_a_guess(
    make: Make, files: dict[str, object], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        _read(make(files))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"activation_function": "torch.nn.modules.activation.Mish"}, "Mish"),
        ({"activation_function": "evil.module.Tanh"}, "evil"),
        ({"module_input_name": "token_embeddings"}, "a layer of tokens"),
        ({"in_features": None}, "how wide"),
    ],
)
def test_a_dense_layer_of_an_unknown_kind_is_refused(
    make: Make, change: dict[str, object], said: str
) -> None:
    config = {"in_features": 16, "out_features": 4} | change
    files = {
        "modules.json": _modules("Transformer", "Pooling", "Dense"),
        "1_Pooling/config.json": {"pooling_mode": "mean"},
        "2_Dense/config.json": config,
        "2_Dense/model.safetensors": {},
    }
    with pytest.raises(ModelError, match=said):
        _read(make(files))


def _with_layer(poolings: Sequence[str], inputs: int) -> dict[str, object]:
    return {
        "modules.json": _modules("Transformer", "Pooling", "Dense", "Dense"),
        "1_Pooling/config.json": {"pooling_mode": poolings, "embedding_dimension": 16},
        "2_Dense/config.json": {"in_features": inputs, "out_features": 4},
        "3_Dense/config.json": {"in_features": 4, "out_features": 2},
        "2_Dense/model.safetensors": {},
        "3_Dense/model.safetensors": {},
    }


@pytest.mark.parametrize("width", [16, "hidden"])
def test_a_layer_takes_what_the_poolings_give(make: Make, width: int | str) -> None:
    outputs = {"last_hidden_state": ("b", "t", width)}
    folder = make(_with_layer(["cls", "mean"], 32), outputs=outputs)
    assert _read(folder).dimensions == 2
    with pytest.raises(UsageError, match="takes 32 values, and gets 16 of the pooling `cls`"):
        _read(folder, pooling=Pooling.CLS)
    with pytest.raises(ModelError, match="takes 24 values, and gets 32"):
        _read(make(_with_layer(["cls", "mean"], 24), outputs=outputs))


def test_a_layer_takes_what_the_one_before_it_gives(make: Make) -> None:
    narrow = {"in_features": 3, "out_features": 2}
    with pytest.raises(ModelError, match="takes 3 values, and gets 4"):
        _read(make(_with_layer(["mean"], 16) | {"3_Dense/config.json": narrow}))


def test_the_chosen_poolings_count_and_not_those_of_the_file(make: Make) -> None:
    told = {"pooling_mode": ["cls", "mean"], "embedding_dimension": 16}
    folder = make({"1_Pooling/config.json": told}, outputs={"last_hidden_state": ("b", "t", "h")})
    assert _read(folder).dimensions == 32
    assert _read(folder, pooling=Pooling.LAST).dimensions == 16


@pytest.mark.parametrize(
    ("files", "limit", "source"),
    [
        ({"sentence_bert_config.json": {"max_seq_length": 256}}, 256, "sentence_bert_config.json"),
        ({"sentence_xlm-roberta_config.json": {"max_seq_length": 99}}, 99,
         "sentence_xlm-roberta_config.json"),
        ({"tokenizer_config.json": {"model_max_length": 300, "max_length": 128}}, 300,
         "tokenizer_config.json"),
        ({"tokenizer_config.json": {"model_max_length": 1e30},
          "config.json": {"max_position_embeddings": 2048}}, 2048, "config.json"),
        ({"config.json": {"model_type": "nomic_bert", "n_positions": 8192}}, 8192, "config.json"),
        ({}, 512, "no file says it"),
    ],
)  # fmt: skip
def test_the_limit_is_never_the_one_baked_into_the_tokenizer(
    make: Make, files: dict[str, object], limit: int, source: str
) -> None:
    spec = _read(make(files))
    assert (spec.max_tokens, spec.sources["max_tokens"]) == (limit, source)


@pytest.mark.parametrize("kind", ["xlm-roberta", "roberta", "camembert", "mpnet"])
def test_a_table_of_514_positions_holds_512_tokens(make: Make, kind: str) -> None:
    config = {"model_type": kind, "max_position_embeddings": 514, "pad_token_id": 1}
    told = {"max_seq_length": 514}
    assert _read(make({"config.json": config})).max_tokens == 512
    assert _read(make({"sentence_bert_config.json": told})).max_tokens == 512


def test_an_unknown_pooling_is_the_last_token_for_decoders_else_the_mean(make: Make) -> None:
    spec = _read(make({}))
    assert spec.pooling == (Pooling.MEAN,)
    assert spec.warnings == (
        "no file of `./m` says how its tokens are pooled: taking `mean` (--pooling changes it)",
    )
    past = ("input_ids", "past_key_values.0.key")
    assert _read(make({}, inputs=past)).pooling == (Pooling.LAST,)
    assert _read(make({"config.json": {"model_type": "qwen3"}})).pooling == (Pooling.LAST,)
    causal = {"architectures": ["FooForCausalLM"]}
    assert _read(make({"config.json": causal})).pooling == (Pooling.LAST,)


def test_the_catalogue_wins_over_files_and_an_option_over_both(make: Make) -> None:
    known = Known(Pooling.CLS, 99, {"query": "q: "})
    folder = make(
        {
            "1_Pooling/config.json": {"pooling_mode": "max"},
            "sentence_bert_config.json": {"max_seq_length": 256},
            "config_sentence_transformers.json": {"prompts": {"query": "", "passage": "p: "}},
        }
    )
    spec = _read(folder, known)
    assert (spec.pooling, spec.max_tokens) == ((Pooling.CLS,), 99)
    assert spec.prompts == {"query": "q: ", "passage": "p: ", "document": "p: "}
    assert _read(folder, known, Pooling.LAST).pooling == (Pooling.LAST,)


def test_prompts_and_the_default_one_are_read(make: Make) -> None:
    said = {"prompts": {"query": "q: ", "none": None}, "default_prompt_name": "query"}
    spec = _read(make({"config_sentence_transformers.json": said}))
    assert (spec.prompts, spec.default_prompt) == ({"query": "q: "}, "query")


def test_files_beside_the_graph_serve_where_the_root_has_none(make: Make) -> None:
    folder = make({"onnx/config.json": {"hidden_size": 16, "max_position_embeddings": 77}})
    (folder / "tokenizer.json").rename(folder / "onnx" / "tokenizer.json")
    spec = _read(folder)
    assert spec.tokenizer == folder / "onnx" / "tokenizer.json"
    assert (spec.max_tokens, spec.sources["max_tokens"]) == (77, "onnx/config.json")


def test_a_token_that_must_end_every_text_is_noted(make: Make) -> None:
    said = {"add_eos_token": True, "eos_token": {"content": "</s>"}}
    assert _read(make({"tokenizer_config.json": said})).eos == "</s>"
    assert _read(make({"tokenizer_config.json": said | {"add_eos_token": False}})).eos is None


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no such file")
@pytest.mark.parametrize("name", ["config.json", "modules.json"])
def test_a_file_that_cannot_be_read_is_named(make: Make, name: str) -> None:
    folder = make({"config.json": {}, "modules.json": []})
    (folder / name).unlink()
    (folder / name).symlink_to("/proc/self/mem")  # not even root may read its first byte
    with pytest.raises(ModelError, match=rf"cannot read `.*{name}`: Input/output error"):
        _read(folder)


def test_json_without_end_is_damage(make: Make) -> None:
    folder = make({})
    (folder / "config.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match=r"config\.json` is damaged: it is not JSON"):
        _read(folder)


def test_a_scalar_input_is_given_what_config_json_says(make: Make) -> None:
    adapters = {"lora_adaptations": ["retrieval.query", "retrieval.passage"]}
    folder = make({"config.json": adapters}, inputs=["input_ids", "task_id"])
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    model.graph.input[1].type.tensor_type.shape.ClearField("dim")
    onnx.save(model, path)
    assert _read(folder).scalars == {"task_id": 1}
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match="wants task_id"):
        _read(folder)


def test_graphs_that_quantise_as_they_run_are_known_by_their_operators(make: Make) -> None:
    assert _read(make({})).batch_invariant
    assert not _read(make({}, operator="DynamicQuantizeLinear")).batch_invariant


def test_a_graph_that_gives_no_vectors_is_refused(make: Make) -> None:
    logits = {"logits": ("b", "t", 300), "present.0.key": ("b", 8, "t", 16)}
    with pytest.raises(ModelError, match="logits"):
        _read(make({}, outputs=logits))


def test_a_model_without_a_tokenizer_is_refused(make: Make) -> None:
    folder = make({})
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer\.json"):
        _read(folder)
