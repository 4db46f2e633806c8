"""sentence-transformers' modules.json: what a text goes through after the transformer.

Two spellings exist, before and since its version 5.4; both are read
(https://github.com/huggingface/sentence-transformers, `sentence_transformer/modules/`).
"""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from embedcli.errors import ModelError
from embedcli.models.configs import Config, Configs, inside
from embedcli.models.spec import Activation, Dense, Pooling

# In the order in which sentence-transformers concatenates those that are true.
_OLD_POOLINGS: Final = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_mean_sqrt_len_tokens": Pooling.MEAN_SQRT,
    "pooling_mode_weightedmean_tokens": Pooling.WEIGHTED_MEAN,
    "pooling_mode_lasttoken": Pooling.LAST,
}
_NEW_POOLINGS: Final = {
    "cls": Pooling.CLS,
    "max": Pooling.MAX,
    "mean": Pooling.MEAN,
    "mean_sqrt_len_tokens": Pooling.MEAN_SQRT,
    "weightedmean": Pooling.WEIGHTED_MEAN,
    "lasttoken": Pooling.LAST,
}
_ACTIVATIONS: Final = {
    "Identity": Activation.IDENTITY,
    "Tanh": Activation.TANH,
    "ReLU": Activation.RELU,
    "GELU": Activation.GELU,
    "SiLU": Activation.SILU,
    "Sigmoid": Activation.SIGMOID,
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What follows the transformer."""

    pooling: tuple[Pooling, ...] = ()  # none: no file says
    source: str = ""  # the file that says the pooling
    include_prompt: bool = True
    width: int | None = None  # dimensions of one pooling's vectors
    vector: tuple[int, str] | None = None  # dimensions at the end, and who says so: of `around`
    dense: tuple[Dense, ...] = ()
    normalize: bool | None = None  # None: there is no modules.json
    transformer: str = ""  # the folder of the transformer's own configs


def read(configs: Configs) -> Pipeline:
    """Read modules.json and the configs it names; without one, `1_Pooling` alone if it is there.

    Raises:
        ModelError: a file is damaged, or asks for what is not known here.
    """
    entries = _entries(configs)
    if not entries:
        return _with_pooling(Pipeline(), configs.read("1_Pooling/config.json"))
    pipeline = Pipeline(normalize=False)
    for kind, path in entries:
        pipeline = _with_module(pipeline, configs, kind, path)
    return pipeline


def around(configs: Configs) -> Pipeline:
    """Read what modules.json says of a graph that pools by itself.

    Its pooling and its layers are in the graph, so nothing is asked of them but what they leave
    unsaid there, and the files of their weights may be missing.

    Raises:
        ModelError: a file is damaged.
    """
    entries = _entries(configs)
    pipeline = Pipeline(normalize=False if entries else None)
    for kind, path in entries or [("Pooling", "1_Pooling")]:
        config = configs.read(_in(path, "config.json"))
        match kind:
            case "Transformer":
                pipeline = replace(pipeline, transformer=path)
            case "Pooling" if config:
                pipeline = _with_width(pipeline, config)
                vector = pipeline.width and (pipeline.width * len(_told(config)), config.source)
                pipeline = replace(pipeline, vector=vector or None)
            case "Dense" if outputs := config.number("out_features"):
                pipeline = replace(pipeline, vector=(outputs, config.source))
            case "Normalize":
                pipeline = replace(pipeline, normalize=True)
    return pipeline


def _entries(configs: Configs) -> list[tuple[str, str]]:
    """Return the kind of each module, and its folder."""
    return [
        ((entry.text("type") or "").rsplit(".", 1)[-1], inside(entry.text("path") or ""))
        for entry in configs.modules()
    ]


def _with_module(pipeline: Pipeline, configs: Configs, kind: str, path: str) -> Pipeline:
    match kind:
        case "Transformer" if not pipeline.pooling:
            return replace(pipeline, transformer=path)
        case "Pooling" if not pipeline.pooling:
            return _with_pooling(pipeline, configs.read(_in(path, "config.json")))
        case "Dense" if not pipeline.normalize:
            dense = _dense(configs.read(_in(path, "config.json")), configs, path)
            return replace(pipeline, dense=(*pipeline.dense, dense))
        case "Normalize":
            return replace(pipeline, normalize=True)
        case "Dropout":  # only in training
            return pipeline
    known = "Transformer, Pooling, Dense, Dropout and Normalize, in that order"
    raise ModelError(f"`modules.json` asks for `{kind}`, which cannot be run: only {known}")


def _with_pooling(pipeline: Pipeline, config: Config) -> Pipeline:
    if not config:
        return pipeline
    return replace(_with_width(pipeline, config), pooling=_poolings(config))


def _with_width(pipeline: Pipeline, config: Config) -> Pipeline:
    width = config.number("embedding_dimension") or config.number("word_embedding_dimension")
    return replace(
        pipeline,
        source=config.source,
        include_prompt=config.flag("include_prompt", default=True),
        width=width,
    )


def _poolings(config: Config) -> tuple[Pooling, ...]:
    """Return the poolings of a config, in the order of their concatenation."""
    told, known = _told(config), _OLD_POOLINGS | _NEW_POOLINGS
    if not told or not known.keys() >= set(told):
        said = config.values.get("pooling_mode")
        raise ModelError(f"`{config.source}` asks for the pooling `{said}`, which is not known")
    return tuple(known[name] for name in told)


def _told(config: Config) -> list[str]:
    """Return what a config calls its poolings, in the same order."""
    said = config.values.get("pooling_mode")
    if said is None:
        return [name for name in _OLD_POOLINGS if config.flag(name)] or ["mean"]
    return [str(name) for name in said] if isinstance(said, list) else [str(said)]


def _dense(config: Config, configs: Configs, path: str) -> Dense:
    """Read the config of a dense layer; its weights are read when the model is loaded."""
    inputs, outputs = config.number("in_features"), config.number("out_features")
    if not inputs or not outputs:
        raise ModelError(f"`{config.source}` is missing, or says not how wide the layer is")
    if (config.text("module_input_name") or "sentence_embedding") != "sentence_embedding":
        raise ModelError(f"`{config.source}` asks for a layer of tokens, which cannot be run")
    named = config.text("activation_function") or "torch.nn.modules.activation.Tanh"
    activation = _ACTIVATIONS.get(named.rsplit(".", 1)[-1])
    if activation is None or not named.startswith("torch.nn."):
        raise ModelError(
            f"`{config.source}` asks for the activation `{named}`, which is not known: "
            f"only {', '.join(_ACTIVATIONS)}"
        )
    weights = configs.path(_in(path, "model.safetensors"))
    if weights is None:
        raise ModelError(
            f"`{_in(path, 'model.safetensors')}` is missing: other kinds of weights cannot be read",
            hint="a pytorch_model.bin is converted by sentence-transformers' save_pretrained",
        )
    bias, residual = config.flag("bias", default=True), config.flag("use_residual")
    return Dense(weights, inputs, outputs, activation, bias, residual)


def _in(path: str, name: str) -> str:
    return str(PurePosixPath(path, name))
