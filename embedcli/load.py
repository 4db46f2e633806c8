"""A name becomes an `Embedder`: the one place that joins models and engine."""

from functools import partial
from pathlib import Path

from embedcli.engine import cores
from embedcli.engine.batches import Limits
from embedcli.engine.embedder import Embedder
from embedcli.engine.session import Session
from embedcli.engine.tokens import Tokenizer
from embedcli.errors import ModelNotFound
from embedcli.models.spec import ModelSpec, Pooling

_BUNDLED = Path(__file__).parent / "models" / "bundled" / "all-minilm"

# A batch this small keeps a core's second-level cache warm, and its matrix products near their
# peak: 256 to 2,048 tokens measured alike, and small batches keep memory and waiting short.
_LIMITS = Limits(tokens=512, texts=512)


def load(model: str = "all-minilm", *, threads: int | None = None, device: str = "cpu") -> Embedder:
    """Return the model `model`, ready to run on `threads` cores: by default all that are allowed.

    Raises:
        ModelNotFound: there is no such model.
        ModelError: it is damaged, or of a kind that cannot be run.
        UsageError: `device` is not there, or would leave the work to the CPU.
    """
    if model != "all-minilm":
        raise ModelNotFound(f"model '{model}' not found", hint="use `all-minilm`")
    spec = ModelSpec(
        name=model,
        folder=_BUNDLED,
        graph=_BUNDLED / "onnx" / "model.onnx",
        tokenizer=_BUNDLED / "tokenizer.json",
        dimensions=384,
        max_tokens=256,
        pooling=(Pooling.MEAN,),
    )
    return Embedder(
        spec,
        Tokenizer(spec.tokenizer),
        partial(_open, spec, device),
        threads=threads or cores.allowed(),
        limits=_LIMITS,
    )


def _open(spec: ModelSpec, device: str, threads: int) -> Session:
    return Session(spec.graph, threads=threads, device=device)
