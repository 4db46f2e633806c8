"""What a model was trained to do, read once from its own files and never changed."""

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
    pad_id: int = 0
    lowercase: bool = False  # texts are lowercased before the tokenizer sees them
    include_prompt: bool = True  # False: the prompt's tokens leave the pooling
    normalize: bool = True  # what the model's own pipeline does; `Options` decides what is done
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str | None = None
    revision: str | None = None  # the commit of the hub repo
