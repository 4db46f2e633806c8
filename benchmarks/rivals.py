"""The same work by other libraries, run by an interpreter that has them, over the same texts.

Knows nothing of this project: `python rivals.py NAME FOLDER TEXTS` prints `ready` once the model
is loaded, and then, for every line on standard input, the seconds that all texts took.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def fastembed(folder: Path) -> Callable[[Sequence[str]], object]:
    """Load the graph in `folder` with fastembed's own choice of threads and batches."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="here",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(url="https://example.invalid"),
        dim=384,
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding("here", specific_model_path=str(folder))
    return lambda texts: list(model.embed(texts))


def sentence_transformers(folder: Path) -> Callable[[Sequence[str]], object]:
    """Load the architecture in `folder`, with weights of chance: they take as long as others."""
    from sentence_transformers import SentenceTransformer
    from transformers import AutoConfig, AutoModel

    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(
            folder, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("onnx", "*.onnx")
        )
        AutoModel.from_config(AutoConfig.from_pretrained(folder)).save_pretrained(copy)
        model = SentenceTransformer(copy, device="cpu")
    return lambda texts: model.encode(list(texts), normalize_embeddings=True)


LOAD = {"fastembed": fastembed, "sentence-transformers": sentence_transformers}


def main(name: str, folder: str, texts: str) -> None:
    """Load a library's model, and time it as often as asked."""
    embed = LOAD[name](Path(folder))
    given = json.loads(Path(texts).read_text("utf-8"))
    embed(given[:32])
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        embed(given)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
