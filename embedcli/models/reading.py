"""A model's folder becomes its spec: every fact from the best source that says it.

A person's own word comes first, then what the graph does by itself, then the catalogue, then the
model's files in both spellings of sentence-transformers, and at last a guess that says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from embedcli.errors import ModelError, UsageError
from embedcli.models import graph, modules
from embedcli.models.configs import Config, Configs
from embedcli.models.graph import Graph
from embedcli.models.modules import Pipeline
from embedcli.models.spec import Dense, Known, ModelSpec, Pooling

_POOLED: Final = "sentence_embedding"
_HIDDEN: Final = ("last_hidden_state", "token_embeddings", "hidden_states")
_NEVER: Final = ("logits", "pooler_output")  # outputs that hold no states of tokens
_DYNAMIC: Final = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}

# The files in which sentence-transformers has kept a model's limit, newest spelling first.
_LIMITS: Final = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Their position table begins behind the padding's id, so that the first rows are never used
# (transformers, `create_position_ids_from_input_ids`): 514 rows hold 512 tokens.
_OFFSET: Final = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer"}
_DECODERS: Final = ("qwen", "mistral", "llama")
_ADAPTER: Final = "retrieval.passage"
_NO_LIMIT: Final = 1_000_000_000  # `model_max_length` of a tokenizer that knows none is 1e30
_GUESSED_LIMIT: Final = 512
_NO_POOLING: Final = "leave out --pooling"

Value = TypeVar("Value")
GRAPH, CATALOGUE, OPTION, GUESS = "the graph", "the catalogue", "--pooling", "no file says it"


@dataclass(frozen=True, slots=True)
class _Model:
    """All that is at hand when a fact is looked up."""

    graph: Graph
    output: str  # the graph's output to ask for
    pooled: bool  # its vectors are pooled already
    configs: Configs
    pipeline: Pipeline
    known: Known
    config: Config  # config.json: the architecture
    tokens: Config  # tokenizer_config.json
    tokenizer: Path  # tokenizer.json


def read(
    folder: Path,
    graph_file: Path,
    *,
    name: str,
    known: Known | None = None,
    pooling: Pooling | None = None,
    revision: str | None = None,
) -> ModelSpec:
    """Read what the files of a model say of it.

    Raises:
        ModelError: a file is missing or damaged, or the model is of a kind that cannot be run.
        UsageError: `pooling` is given for a graph that gives no states of tokens, or does not
            suit the layer that follows it.
    """
    configs = Configs(folder, graph_file)
    account = graph.read(graph_file)
    output, pooled = _output(account, graph_file, pooling)
    model = _Model(
        account,
        output,
        pooled,
        configs,
        modules.around(configs) if pooled else modules.read(configs),
        known or Known(),
        configs.read("config.json"),
        configs.read("tokenizer_config.json"),
        configs.tokenizer(),
    )
    return _spec(model, folder, graph_file, name, pooling, revision)


class _Sources:
    """Remembers who said each fact."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def keep(self, field: str, said: tuple[Value, str]) -> Value:
        """Note the source of `field`, and return its value."""
        value, self.of[field] = said
        return value


def _spec(
    model: _Model,
    folder: Path,
    file: Path,
    name: str,
    pooling: Pooling | None,
    revision: str | None,
) -> ModelSpec:
    weights = _weights(model.graph, file)
    sources = _Sources()
    poolings = sources.keep("pooling", ((), GRAPH) if model.pooled else _pooling(model, pooling))
    _refuse_gaps(model, name, poolings, chosen=pooling is not None)
    return ModelSpec(
        name=name,
        folder=folder,
        graph=file,
        tokenizer=model.tokenizer,
        revision=revision,
        weights=weights,
        size=sum(path.stat().st_size for path in (file, *weights)),
        output=sources.keep("output", (model.output, GRAPH)),
        pooling=poolings,
        dense=sources.keep("dense", _dense(model)),
        dimensions=sources.keep("dimensions", _dimensions(model, len(poolings))),
        max_tokens=sources.keep("max_tokens", _max_tokens(model)),
        context=_positions(model.config),
        lowercase=sources.keep("lowercase", _lowercase(model)),
        include_prompt=sources.keep("include_prompt", _include_prompt(model)),
        normalize=sources.keep("normalize", _normalize(model)),
        prompts=sources.keep("prompts", _prompts(model)),
        default_prompt=sources.keep("default_prompt", _default_prompt(model)),
        eos=sources.keep("eos", _eos(model)),
        scalars=sources.keep("scalars", _scalars(model)),
        past=_past(model),
        batch_invariant=sources.keep("batch_invariant", _batch_invariant(model)),
        sources=sources.of,
        note=model.known.note,
        warnings=_warnings(name, poolings, sources.of["pooling"]),
    )


def _weights(graph: Graph, file: Path) -> tuple[Path, ...]:
    """Return the files with a graph's weights, which must be there."""
    weights = tuple(file.parent / location for location in graph.external)
    missing = [path.name for path in weights if not path.is_file()]
    if missing:
        raise ModelError(
            f"the weights of `{file.name}` are missing: {', '.join(missing)}",
            hint="fetch them beside it, or fetch the model anew with `embed pull`",
        )
    return weights


def _output(graph: Graph, file: Path, wanted: Pooling | None) -> tuple[str, bool]:
    """Return the output to ask for, by name, and whether its vectors are pooled already."""
    ranks = {value.name: value.rank for value in graph.outputs if value.name not in _NEVER}
    if wanted is None and ranks.get(_POOLED, 3) != 3:
        return _POOLED, True
    named = [name for name in _HIDDEN if name in ranks]
    by_rank = {rank: [name for name in ranks if ranks[name] == rank] for rank in (2, 3)}
    if named or len(by_rank[3]) == 1:
        return (named or by_rank[3])[0], False
    if wanted is not None:
        raise UsageError(
            f"the graph `{file.name}` pools by itself: `{wanted.value}` cannot change it",
            hint=_NO_POOLING,
        )
    if len(by_rank[2]) == 1:
        return by_rank[2][0], True
    names = ", ".join(value.name for value in graph.outputs)
    raise ModelError(
        f"the graph `{file.name}` gives nothing that a text's vector is made of: {names}"
    )


def _pooling(model: _Model, wanted: Pooling | None) -> tuple[tuple[Pooling, ...], str]:
    if wanted is not None:
        return (wanted,), OPTION
    if model.known.pooling is not None:
        return (model.known.pooling,), CATALOGUE
    if model.pipeline.pooling:
        return model.pipeline.pooling, model.pipeline.source
    return (Pooling.LAST if _is_decoder(model) else Pooling.MEAN,), GUESS


def _is_decoder(model: _Model) -> bool:
    """Say whether each token sees only those before it, so that the last one sees the text."""
    takes_past = any(value.name.startswith("past_key_values") for value in model.graph.inputs)
    kind = model.config.text("model_type") or ""
    made = model.config.values.get("architectures")
    causal = isinstance(made, list) and any(str(name).endswith("ForCausalLM") for name in made)
    return takes_past or causal or kind.startswith(_DECODERS)


def _warnings(name: str, poolings: tuple[Pooling, ...], source: str) -> tuple[str, ...]:
    if source != GUESS:
        return ()
    guessed = f"no file of `{name}` says how its tokens are pooled: taking `{poolings[0].value}`"
    return (f"{guessed} (--pooling changes it)",)


def _dense(model: _Model) -> tuple[tuple[Dense, ...], str]:
    if model.pooled:
        return (), GRAPH
    return model.pipeline.dense, GUESS if model.pipeline.normalize is None else "modules.json"


def _dimensions(model: _Model, poolings: int) -> tuple[int, str]:
    """Return how long a vector is, by the last stage of the pipeline that says it."""
    width, dense = _width(model), model.pipeline.dense
    if dense:
        return dense[-1].outputs, "modules.json"
    if width is not None:
        return width[0] * max(1, poolings), width[1]
    if model.pipeline.vector is not None:
        return model.pipeline.vector
    for key in ("hidden_size", "dim", "d_model", "n_embd"):
        if hidden := model.config.number(key):
            return hidden * max(1, poolings), model.config.source
    raise ModelError(
        f"no file of the model in `{model.configs.folder}` says how long its vectors are"
    )


def _width(model: _Model) -> tuple[int, str] | None:
    """Return how wide the graph's output is, where that is said."""
    (output,) = (value for value in model.graph.outputs if value.name == model.output)
    width = output.shape[-1] if output.shape else ""
    if isinstance(width, int):
        return width, GRAPH
    pipeline = model.pipeline
    return None if model.pooled or not pipeline.width else (pipeline.width, pipeline.source)


def _refuse_gaps(model: _Model, name: str, poolings: tuple[Pooling, ...], *, chosen: bool) -> None:
    """Refuse a layer that does not take what comes out before it.

    Raises:
        UsageError: it is the pooling that was `chosen`, which makes another width.
        ModelError: the files of the model disagree.
    """
    width = _width(model)
    before = None if width is None else width[0] * len(poolings)
    for layer in model.pipeline.dense:
        if before not in (None, layer.inputs):
            what = f"`{name}` cannot be run: a layer takes {layer.inputs} values, and gets {before}"
            if chosen and layer is model.pipeline.dense[0]:
                raise UsageError(f"{what} of the pooling `{poolings[0].value}`", hint=_NO_POOLING)
            raise ModelError(what)
        before = layer.outputs


def _max_tokens(model: _Model) -> tuple[int, str]:
    """Return the limit that the model was trained with, but no more than it has positions."""
    limit, source = _told_limit(model)
    positions = _positions(model.config)
    if positions is not None and positions < limit:
        return positions, model.config.source
    return limit, source


def _told_limit(model: _Model) -> tuple[int, str]:
    if model.known.max_tokens is not None:
        return model.known.max_tokens, CATALOGUE
    for name in _LIMITS:
        config = _transformer(model, name)
        if limit := config.number("max_seq_length"):
            return limit, config.source
    limit = model.tokens.number("model_max_length")
    if limit and 0 < limit < _NO_LIMIT:
        return limit, model.tokens.source
    if positions := _positions(model.config):
        return positions, model.config.source
    return _GUESSED_LIMIT, GUESS


def _positions(config: Config) -> int | None:
    """Return how many positions the architecture has, where config.json says it."""
    for key in ("max_position_embeddings", "n_positions", "max_trained_positions"):
        positions = config.number(key)
        if positions is not None and positions > 0:
            pad = config.number("pad_token_id")
            offset = 1 + (1 if pad is None else pad) if config.text("model_type") in _OFFSET else 0
            return positions - offset
    return None


def _lowercase(model: _Model) -> tuple[bool, str]:
    config = _transformer(model, _LIMITS[0])
    return config.flag("do_lower_case"), _who(config)


def _transformer(model: _Model, name: str) -> Config:
    """Read a config of the transformer's own, which some models keep in a folder of its own."""
    return model.configs.read(str(PurePosixPath(model.pipeline.transformer, name)))


def _who(config: Config) -> str:
    return config.source if config else GUESS


def _include_prompt(model: _Model) -> tuple[bool, str]:
    return model.pipeline.include_prompt, model.pipeline.source or GUESS


def _normalize(model: _Model) -> tuple[bool, str]:
    said = model.pipeline.normalize
    return (True, GUESS) if said is None else (said, "modules.json")


def _prompts(model: _Model) -> tuple[Mapping[str, str], str]:
    """Return the prompts by name; `document` also where a model calls it by an older name."""
    config = model.configs.read("config_sentence_transformers.json")
    prompts = config.texts("prompts") | dict(model.known.prompts)
    for older in ("passage", "corpus"):
        if older in prompts:
            prompts.setdefault("document", prompts[older])
    return prompts, CATALOGUE if model.known.prompts else _who(config)


def _default_prompt(model: _Model) -> tuple[str | None, str]:
    config = model.configs.read("config_sentence_transformers.json")
    return config.text("default_prompt_name"), _who(config)


def _eos(model: _Model) -> tuple[str | None, str]:
    """Return the token that must end a text, where tokenizer_config.json wants one."""
    wanted = model.tokens.flag("add_eos_token")
    return (model.tokens.token("eos_token") if wanted else None), _who(model.tokens)


def _scalars(model: _Model) -> tuple[Mapping[str, int], str]:
    """Return values for inputs without dimensions, such as jina v3's `task_id`.

    Those models number their adapters by `lora_adaptations` in config.json; texts are taken for
    passages, which is what the model's own users do where nothing else is said.
    """
    names = [value.name for value in model.graph.inputs if value.rank in (0, 1)]
    if not names:
        return {}, GRAPH
    adapters = model.config.values.get("lora_adaptations")
    if names != ["task_id"] or not isinstance(adapters, list) or _ADAPTER not in adapters:
        raise ModelError(f"the graph wants {', '.join(names)}, and no file says what to give it")
    return {"task_id": adapters.index(_ADAPTER)}, model.config.source


def _past(model: _Model) -> tuple[int, int] | None:
    """Return a decoder's key-value heads and their size, for graphs that do not say them."""
    config = model.config
    attention, hidden = config.number("num_attention_heads"), config.number("hidden_size")
    if not attention or not hidden:
        return None
    heads = config.number("num_key_value_heads") or attention
    return heads, config.number("head_dim") or hidden // attention


def _batch_invariant(model: _Model) -> tuple[bool, str]:
    return not model.graph.operators & _DYNAMIC, GRAPH
