"""What a model was trained to do: facts as plain data, read once and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Pooling(StrEnum):
    """How the hidden states of a text's tokens become one vector."""

    MEAN = "mean"
    CLS = "cls"
    LAST = "last"
    MAX = "max"
    MEAN_SQRT = "mean_sqrt"
    WEIGHTED_MEAN = "weighted_mean"


class Activation(StrEnum):
    """What a dense layer does to each of its sums."""

    IDENTITY = "identity"
    TANH = "tanh"
    RELU = "relu"
    GELU = "gelu"
    SILU = "silu"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Dense:
    """A layer after the pooling: y = activation(W x + b), and x or R x on top if residual."""

    # safetensors: `linear.weight` (outputs, inputs), `linear.bias`, `residual.weight`
    weights: Path
    inputs: int
    outputs: int
    activation: Activation
    bias: bool
    residual: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What people know of a model, where its own files do not say it."""

    pooling: Pooling | None = None
    max_tokens: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model was trained to do. Two equal specs give equal vectors for equal texts."""

    name: str  # as a person would type it: `all-minilm`, `org/name`, `./folder`
    folder: Path  # the root that `graph` and the configs lie under
    graph: Path  # the ONNX file
    tokenizer: Path  # tokenizer.json
    dimensions: int  # of a whole vector
    max_tokens: int  # the limit of one text, prompt and special tokens included
    pooling: tuple[Pooling, ...]  # several are concatenated in this order; none: the graph pools
    lowercase: bool = False  # texts are lowercased before the tokenizer sees them
    include_prompt: bool = True  # False: the prompt's tokens leave the pooling
    normalize: bool = True  # what the model's own pipeline does; `Options` decides what is done
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    context: int | None = None  # what the graph can take, where that is more than `max_tokens`
    digest: str | None = None  # of a model on a server, whose files are not here
    revision: str | None = None  # the commit of the hub repo
    weights: tuple[Path, ...] = ()  # files beside the graph that hold its weights
    size: int = 0  # bytes of the graph and its weights
    output: str = "last_hidden_state"  # the graph's output to ask for
    dense: tuple[Dense, ...] = ()  # what follows the pooling
    eos: str | None = None  # a token that must end every text, appended where it does not
    scalars: Mapping[str, int] = field(default_factory=dict)  # further inputs: `task_id`
    past: tuple[int, int] | None = None  # key-value heads and their size, where a graph says not
    batch_invariant: bool = True  # False: a text's vector depends on its mates, so it has none
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)  # field: who says so
    note: str = field(default="", compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)  # said once, with what to do

    @property
    def files(self) -> tuple[Path, ...]:
        """The graph, and the files with its weights."""
        return (self.graph, *self.weights)
