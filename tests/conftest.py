"""The process under test, and a model small enough to check in the head."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer as Library
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from embedcli import load
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.models.spec import ModelSpec, Pooling

# A machine that is busy with something else fails no test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@dataclass(frozen=True)
class Finished:
    """What a process left behind."""

    code: int
    out: bytes
    err: str


def embed(
    *arguments: str | os.PathLike[str], stdin: bytes = b"", env: dict[str, str] | None = None
) -> Finished:
    """Run `embed` as a process of its own, without the caller's EMBED_ settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EMBED_")}
    done = subprocess.run(
        [sys.executable, "-m", "embedcli", *arguments],
        input=stdin,
        capture_output=True,
        env={**clean, **(env or {})},
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr.decode())


# Five words and their vectors; `nan` overflows, and `lost` lies outside the graph's table.
COLOURS = {
    "[UNK]": (0, 0, 0),
    "<s>": (9, 9, 9),
    "</s>": (3, 3, 3),
    "red": (1, 0, 0),
    "green": (0, 2, 0),
    "blue": (0, 0, 4),
    "nan": (np.nan, 0, 0),
    "lost": None,
}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model whose hidden states are the table above."""
    folder = tmp_path_factory.mktemp("colours")
    table = np.array([row for row in COLOURS.values() if row], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "colours",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [
            helper.make_tensor_value_info(
                "last_hidden_state", TensorProto.FLOAT, ["batch", "sequence", 3]
            )
        ],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    words = Library(WordLevel({word: at for at, word in enumerate(COLOURS)}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    words.enable_truncation(4)  # as files in the wild have it; never to be believed
    words.enable_padding(length=9)
    words.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def palette(colours: Path) -> Embedder:
    """The model `colours`, ready to run on two cores, in batches of at most 32 tokens."""
    spec = ModelSpec(
        name="colours",
        folder=colours,
        graph=colours / "model.onnx",
        tokenizer=colours / "tokenizer.json",
        dimensions=3,
        max_tokens=8,
        pooling=(Pooling.MEAN,),
        prompts={"query": "red "},
    )
    return Embedder(
        spec,
        Tokenizer(spec.tokenizer),
        lambda threads: Session(spec, threads=threads),
        threads=2,
        limits=Limits(tokens=32, texts=32),
    )


@pytest.fixture(scope="session")
def minilm() -> Iterator[Embedder]:
    """The model inside the package."""
    with load() as embedder:
        yield embedder
