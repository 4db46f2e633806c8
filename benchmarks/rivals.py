"""The same work by other libraries, run by an interpreter that has them, over the same texts.

Knows nothing of this project: `python rivals.py NAME FOLDER TEXTS` prints `ready` once the model
is loaded, and then, for every line on standard input, the seconds that all texts took.

$RIVALS_PYTHON is an interpreter with any of fastembed, sentence-transformers and llama-cpp-python,
the last built for this machine; $RIVALS_GGUF the model as llama.cpp's own script converts it:
`convert_hf_to_gguf.py FOLDER --outtype q8_0`.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_TOKENS = 512  # of a batch: the best of 512, 1,024 and 2,048


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


def llama_cpp(_: Path) -> Callable[[Sequence[str]], object]:
    """Load $RIVALS_GGUF, to run on several texts at once; Ollama gives it one at a time."""
    from llama_cpp import Llama

    model = Llama(
        os.environ["RIVALS_GGUF"],
        embedding=True,
        n_ctx=_TOKENS,
        n_batch=_TOKENS,
        n_ubatch=_TOKENS,
        n_threads=os.cpu_count(),
        n_threads_batch=os.cpu_count(),
        verbose=False,
    )
    return lambda texts: model.embed(list(texts), normalize=True)


LOAD = {
    "sentence-transformers, float32": sentence_transformers,
    "fastembed, float32": fastembed,
    "llama.cpp, q8_0": llama_cpp,
}


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
