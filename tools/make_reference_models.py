"""Make small models of the real architectures, laid out as the real repos are, with vectors.

    python tools/make_reference_models.py [FOLDER]

The weights are random and the networks tiny; everything else is as on the hub: file names, both
spellings of sentence-transformers' configs, the limits baked into tokenizer.json, the inputs and
outputs of the exports. Each folder's reference.json holds texts with the vectors that
sentence-transformers or transformers compute from the same weights in torch.

Wants torch, transformers, sentence-transformers, onnx, onnxscript and onnxruntime; the tests do
not: what this writes to tests/models is committed.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from sentence_transformers import SentenceTransformer
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    BertModel,
    DynamicCache,
    Gemma3TextConfig,
    Gemma3TextModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

TEXTS = [
    "red",
    "Why is the sky blue?",
    "Because air scatters short waves of light more than long ones, and we see what is scattered.",
    "",
    "Grüße aus 東京!",
]
CORPUS = [
    *TEXTS,
    "task: search result | query: what is a vector",
    "title: none | text: a vector is a row of numbers",
    "Instruct: Given a web search query, retrieve relevant passages that answer the query Query:",
    "query: red green blue passage: the colours of light",
]
WIDTH = 16
SMALL: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
OLD, NEW = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules."
DYNAMIC = torch.export.Dim.DYNAMIC
POOLINGS: dict[str, dict[str, Any]] = {
    "cls": {"pooling_mode": "cls"},
    "max": {"pooling_mode": "max"},
    "mean": {"pooling_mode": "mean"},
    "mean_sqrt_len_tokens": {"pooling_mode": "mean_sqrt_len_tokens"},
    "weightedmean": {"pooling_mode": "weightedmean"},
    "lasttoken": {"pooling_mode": "lasttoken"},
    "several": {"pooling_mode": ["max", "lasttoken", "cls"]},
    "old several": {"pooling_mode_max_tokens": True, "pooling_mode_cls_token": True},
    "prompt left out": {"pooling_mode": "mean", "include_prompt": False},
    "prompt left out of weights": {"pooling_mode": "weightedmean", "include_prompt": False},
}


class Outputs(torch.nn.Module):
    """A network that gives its hidden states, as plain exports do."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the hidden states (B, T, D)."""
        kinds = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.network(input_ids, attention_mask, **kinds).last_hidden_state


class WithPast(torch.nn.Module):
    """A decoder that takes the keys and values of tokens before, as exports for chat do."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        position_ids: torch.Tensor,
        past: list[torch.Tensor],
    ) -> list[torch.Tensor]:
        """Return the hidden states, and the keys and values of all tokens so far."""
        cache = DynamicCache(list(zip(past[::2], past[1::2], strict=True)))
        states = self.network(input_ids, attention_mask, position_ids, cache, use_cache=True)
        present = [part for layer in cache.layers for part in (layer.keys, layer.values)]
        return [states.last_hidden_state, *present]


class Pooled(torch.nn.Module):
    """A network with its pooling and dense layers in the graph, as embeddinggemma's export."""

    def __init__(self, network: PreTrainedModel, *dense: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self.dense = torch.nn.Sequential(*dense)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the hidden states (B, T, D) and the vectors (B, D)."""
        states = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        real = attention_mask[:, :, None].to(states.dtype)
        pooled = (states * real).sum(1) / real.sum(1)
        return states, torch.nn.functional.normalize(self.dense(pooled))


def network(kind: type[PreTrainedModel], config: Any, **options: Any) -> PreTrainedModel:  # noqa: ANN401
    """Return a network with the same random weights every time."""
    torch.manual_seed(7)
    made = kind(config, **options).eval()
    for weights in made.parameters():  # random, and far enough from zero to tell vectors apart
        torch.nn.init.normal_(weights, std=0.5)
    made.config._attn_implementation = "eager"
    return made


def export(
    module: torch.nn.Module, path: Path, inputs: Mapping[str, Any], names: Sequence[str]
) -> None:
    """Write an ONNX graph with outputs `names`, without what the exporter says to developers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = {
        name: [{0: DYNAMIC, 2: DYNAMIC}] * len(value)
        if isinstance(value, list)
        else {0: DYNAMIC, 1: DYNAMIC}
        for name, value in inputs.items()
    }
    torch.onnx.export(
        module, (), path, kwargs=dict(inputs), dynamo=True, dynamic_shapes=shapes,
        opset_version=18, external_data=False, verbose=False,
    )  # fmt: skip
    model = onnx.load(path)
    rename(model, names)
    save(model, path)


def rename(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Give outputs the names `names`, and the inputs of a cache those that exports have."""
    new = {put.name: name for put, name in zip(model.graph.output, names, strict=True)}
    for put in model.graph.input:
        if put.name.startswith("past_"):
            at = int(put.name.removeprefix("past_"))
            new[put.name] = f"past_key_values.{at // 2}.{('key', 'value')[at % 2]}"
    for put in (*model.graph.input, *model.graph.output):
        put.name = new.get(put.name, put.name)
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph without what the exporter says to developers."""
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
        node.ClearField("name")
    for put in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del put.metadata_props[:]
    model.ir_version = 9
    onnx.save(model, path)


def word_pieces() -> Tokenizer:
    """BERT's: word pieces, lower case, a limit and a padding that no reader may believe."""
    normalizer = normalizers.BertNormalizer(lowercase=True)
    words = re.findall(r"\w+|[^\w\s]", normalizer.normalize_str(" ".join(CORPUS)))
    letters = sorted(set("".join(words)))
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{sign}" for sign in letters)]
    known += sorted({word for word in words if len(word) > 1})
    made = Tokenizer(
        models.WordPiece({word: at for at, word in enumerate(known)}, unk_token="[UNK]")
    )
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens(known[:4])
    made.enable_truncation(8)
    made.enable_padding(length=8)
    return made


def pieces(special: Sequence[str], single: str, *, limit: int) -> Tokenizer:
    """A byte-pair tokenizer like those of XLM-R, Gemma and Qwen, of `special` tokens first."""
    made = Tokenizer(models.BPE(unk_token=None))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=limit,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    made.train_from_iterator(CORPUS, trainer)
    ids = [(token, made.token_to_id(token)) for token in special]
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
    return made


def write(folder: Path, files: Mapping[str, object]) -> None:
    """Write JSON files by name."""
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=1) + "\n")


def write_reference(folder: Path, cases: Sequence[Mapping[str, object]]) -> None:
    """Write texts and their vectors, a case a line."""
    packages = ("torch", "transformers", "sentence-transformers", "tokenizers")
    made_by = {package: version(package) for package in packages}
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    document = f'{{"made_by": {json.dumps(made_by)},\n"cases": [\n{lines}\n]}}\n'
    (folder / "reference.json").write_text(document)


def rounded(vectors: torch.Tensor) -> list[list[float]]:
    """Return rows of numbers with as many digits as float32 has."""
    return [[float(f"{value:.8g}") for value in row] for row in vectors.tolist()]


def modules(spelling: str, *kinds: str) -> list[dict[str, object]]:
    """Return a modules.json, in one of its two spellings; its transformer's is the old one."""
    return [
        {
            "idx": at,
            "name": str(at),
            "path": f"{at}_{kind}" if at else "",
            "type": (spelling if at else OLD) + kind,
        }
        for at, kind in enumerate(kinds)
    ]


def encode(
    folder: Path,
    made: PreTrainedModel,
    files: Mapping[str, object],
    *,
    prompt: str | None = None,
    normalize: bool = False,
) -> list[list[float]]:
    """Let sentence-transformers embed TEXTS with the files of `folder`, changed by `files`."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "model")
        shutil.copytree(folder, copy)
        made.save_pretrained(copy)
        write(copy, files)
        model = SentenceTransformer(str(copy), device="cpu")
        how = {"normalize_embeddings": normalize, "convert_to_tensor": True}
        return rounded(torch.stack([model.encode(text, prompt=prompt, **how) for text in TEXTS]))


def make_bert(folder: Path) -> None:
    """all-MiniLM's layout, with LaBSE's dense layer and another outside of the graph."""
    config = BertConfig(vocab_size=200, max_position_embeddings=40, **SMALL)
    made = network(BertModel, config, add_pooling_layer=False)
    made.save_pretrained(folder)
    word_pieces().save(str(folder / "tokenizer.json"))
    specials = {
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
    }
    write(
        folder,
        {
            "modules.json": modules(OLD, "Transformer", "Pooling", "Dense", "Dense", "Normalize"),
            "sentence_bert_config.json": {"max_seq_length": 16, "do_lower_case": False},
            "tokenizer_config.json": {
                "tokenizer_class": "BertTokenizer",
                "model_max_length": 40,
                **specials,
            },
            "special_tokens_map.json": specials,
            "1_Pooling/config.json": {
                "word_embedding_dimension": WIDTH,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True,
                "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False,
            },
            "2_Dense/config.json": dense(WIDTH, 24, "activation.Tanh", bias=True),
            "3_Dense/config.json": dense(24, 8, "linear.Identity", bias=False),
            "config_sentence_transformers.json": {
                "prompts": {"query": "query: ", "passage": "passage: "},
                "default_prompt_name": None,
            },
        },
    )
    write_dense(folder / "2_Dense", 24, WIDTH, bias=True)
    write_dense(folder / "3_Dense", 8, 24, bias=False)
    weights = folder / "model.safetensors"
    weights.unlink()
    ids = torch.zeros(2, 7, dtype=torch.long)
    inputs = {
        name: torch.ones_like(ids) for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    export(Outputs(made), folder / "onnx/model.onnx", inputs, ["last_hidden_state"])
    half = convert_float_to_float16(onnx.load(folder / "onnx/model.onnx"), keep_io_types=False)
    save(half, folder / "onnx/model_fp16.onnx")
    quantize_dynamic(folder / "onnx/model.onnx", folder / "onnx/model_quantized.onnx")
    save(onnx.load(folder / "onnx/model_quantized.onnx"), folder / "onnx/model_quantized.onnx")
    cases: list[dict[str, object]] = [
        {"texts": TEXTS, "vectors": encode(folder, made, {})},
        {"texts": TEXTS, "prompt": "query", "vectors": encode(folder, made, {}, prompt="query: ")},
        {
            "texts": TEXTS,
            "prompt": "document",
            "vectors": encode(folder, made, {}, prompt="passage: "),
        },
    ]
    for name, pooling in POOLINGS.items():
        config_of = {"word_embedding_dimension": WIDTH, **pooling}
        spelling = NEW if "pooling_mode" in pooling else OLD
        files = {
            "modules.json": modules(spelling, "Transformer", "Pooling"),
            "1_Pooling/config.json": config_of,
        }
        prompt, asked = ("query: ", {"prompt": "query"}) if "prompt" in name else (None, {})
        vectors = encode(folder, made, files, prompt=prompt, normalize=True)
        cases.append({"texts": TEXTS, **asked, "pooling": config_of, "vectors": vectors})
    write_reference(folder, cases)


def dense(inputs: int, outputs: int, activation: str, *, bias: bool) -> dict[str, object]:
    """Return the config of a dense layer."""
    named = f"torch.nn.modules.{activation}"
    return {
        "in_features": inputs,
        "out_features": outputs,
        "bias": bias,
        "activation_function": named,
    }


def write_dense(folder: Path, outputs: int, inputs: int, *, bias: bool) -> None:
    """Write the weights of a dense layer."""
    from safetensors.torch import save_file

    torch.manual_seed(outputs)
    weights = {"linear.weight": torch.randn(outputs, inputs) / 4}
    if bias:
        weights["linear.bias"] = torch.randn(outputs) / 4
    save_file(weights, folder / "model.safetensors")


def make_xlmr(folder: Path) -> None:
    """bge-m3's layout of old: CLS, positions that begin behind the pad id, configs new and few."""
    config = XLMRobertaConfig(
        vocab_size=300, max_position_embeddings=34, pad_token_id=1, type_vocab_size=1, **SMALL
    )
    made = network(XLMRobertaModel, config, add_pooling_layer=False)
    made.save_pretrained(folder)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces(special, "<s> $A </s>", limit=300).save(str(folder / "tokenizer.json"))
    write(
        folder,
        {
            "modules.json": modules(NEW, "Transformer", "Pooling", "Normalize"),
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": 32,
                "pad_token": "<pad>",
                "cls_token": "<s>",
                "sep_token": "</s>",
                "bos_token": "<s>",
                "eos_token": "</s>",
            },
            "1_Pooling/config.json": {
                "embedding_dimension": WIDTH,
                "pooling_mode": "cls",
                "include_prompt": True,
            },
        },
    )
    (folder / "model.safetensors").unlink()
    inputs = {name: torch.full((2, 7), 5) for name in ("input_ids", "attention_mask")}
    export(Outputs(made), folder / "onnx/model.onnx", inputs, ["last_hidden_state"])
    vectors = encode(folder, made, {})
    limitless = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 1e30,
        "pad_token": "<pad>",
    }
    write(folder, {"tokenizer_config.json": limitless})
    write_reference(folder, [{"texts": TEXTS, "vectors": vectors}])


def bare(
    module: torch.nn.Module, tokenizer: Tokenizer, prefix: str, limit: int
) -> list[torch.Tensor]:
    """Return what a network gives for each of TEXTS alone, cut to `limit` tokens."""
    tokenizer.enable_truncation(limit)
    given = []
    with torch.no_grad():
        for text in TEXTS:
            ids = torch.tensor([tokenizer.encode(prefix + text).ids])
            given.append(module(input_ids=ids, attention_mask=torch.ones_like(ids)))
    return given


def make_qwen3(folder: Path, *, past: bool) -> None:
    """Qwen3-Embedding's layout: a tokenizer and the graph, which may ask for a cache."""
    config = Qwen3Config(
        vocab_size=300, num_key_value_heads=1, head_dim=16, max_position_embeddings=64,
        architectures=["Qwen3ForCausalLM"], **SMALL,
    )  # fmt: skip
    made = network(Qwen3Model, config)
    folder.mkdir(parents=True)
    write(folder, {"config.json": {**config.to_diff_dict(), "architectures": ["Qwen3ForCausalLM"]}})
    tokenizer = pieces(["<|endoftext|>", "<|im_end|>"], "$A <|endoftext|>", limit=300)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder,
        {
            "tokenizer_config.json": {
                "eos_token": "<|im_end|>",
                "pad_token": "<|endoftext|>",
                "model_max_length": 131072,
                "padding_side": "left",
            },
        },
    )
    graph = folder / "onnx/model.onnx"
    inputs: dict[str, Any] = {
        name: torch.ones(2, 7, dtype=torch.long) for name in ("input_ids", "attention_mask")
    }
    if past:
        inputs["attention_mask"] = torch.ones(2, 10, dtype=torch.long)
        inputs["position_ids"] = torch.arange(3, 10).expand(2, 7)
        inputs["past"] = [torch.randn(2, 1, 3, 16) for _ in range(4)]
        present = [f"present.{i // 2}.{('key', 'value')[i % 2]}" for i in range(4)]
        export(WithPast(made), graph, inputs, ["last_hidden_state", *present])
        half = convert_float_to_float16(onnx.load(graph), keep_io_types=False)
        save(half, folder / "onnx/model_fp16.onnx")
    else:
        export(Outputs(made), graph, inputs, ["last_hidden_state"])
    query = CORPUS[7].replace(" Query:", "\nQuery:")
    cases = []
    for prefix in ("", query):
        states = bare(Outputs(made), tokenizer, prefix, 64)
        vectors = torch.nn.functional.normalize(torch.stack([state[0, -1] for state in states]))
        cases.append({"texts": TEXTS, "prefix": prefix, "vectors": rounded(vectors)})
    write_reference(folder, cases)


def make_gemma(folder: Path) -> None:
    """Embeddinggemma's layout: the whole pipeline in the graph, and its weights beside it."""
    config = Gemma3TextConfig(
        vocab_size=300, num_key_value_heads=1, head_dim=16, max_position_embeddings=64,
        sliding_window=8, use_bidirectional_attention=True, **SMALL,
    )  # fmt: skip
    made = network(Gemma3TextModel, config)
    dense_layers = (torch.nn.Linear(WIDTH, 48, bias=False), torch.nn.Linear(48, 12, bias=False))
    module = Pooled(made, *dense_layers).eval()
    folder.mkdir(parents=True)
    tokenizer = pieces(["<pad>", "<eos>", "<bos>", "<unk>"], "<bos> $A <eos>", limit=300)
    tokenizer.save(str(folder / "tokenizer.json"))
    write(
        folder,
        {
            "config.json": config.to_diff_dict(),
            "tokenizer_config.json": {
                "eos_token": "<eos>",
                "pad_token": "<pad>",
                "model_max_length": 2048,
            },
            "special_tokens_map.json": {
                "pad_token": {"content": "<pad>"},
                "eos_token": {"content": "<eos>"},
            },
            "generation_config.json": {},
        },
    )
    graph = folder / "onnx/model.onnx"
    inputs = {name: torch.ones(2, 7, dtype=torch.long) for name in ("input_ids", "attention_mask")}
    export(module, graph, inputs, ["last_hidden_state", "sentence_embedding"])
    model = onnx.load(graph)
    graph.unlink()
    onnx.save(
        model, graph, save_as_external_data=True, location="model.onnx_data", size_threshold=256
    )
    cases = []
    for prefix in ("", "task: search result | query: ", "title: none | text: "):
        vectors = torch.cat([pooled for _, pooled in bare(module, tokenizer, prefix, 64)])
        cases.append({"texts": TEXTS, "prefix": prefix, "vectors": rounded(vectors)})
    write_reference(folder, cases)


def main(root: Path) -> None:
    """Write every model anew."""
    shutil.rmtree(root, ignore_errors=True)
    make_bert(root / "bert")
    make_xlmr(root / "xlmr")
    make_qwen3(root / "qwen3-past", past=True)
    make_qwen3(root / "qwen3", past=False)
    make_gemma(root / "gemma3")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tests/models"))
