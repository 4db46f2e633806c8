"""The shelf that every installation has: the one model inside the package."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from embedcli.engine.embedder import Embedder
from embedcli.errors import ModelNotFound, UsageError
from embedcli.load import load
from embedcli.server.names import Name
from embedcli.server.shelf import Progress, ServedModel, Shelf

_NAME = Name("all-minilm")


def shelf(*, threads: int | None = None, device: str = "cpu") -> Shelf:
    """Return a shelf with `all-minilm` on it."""
    model = _describe(load(str(_NAME.model)))

    def models() -> Sequence[ServedModel]:
        return [model]

    def open_model(_: ServedModel) -> Embedder:
        return load(_NAME.model, threads=threads, device=device)

    return Shelf(models, open_model, _pull, _delete)


@cache
def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(embedder: Embedder) -> ServedModel:
    spec = embedder.spec
    facts = spec.graph.stat()
    return ServedModel(
        name=_NAME,
        size=facts.st_size + spec.tokenizer.stat().st_size,
        digest=_digest(spec.graph),
        modified=datetime.fromtimestamp(facts.st_mtime, UTC),
        family="bert",
        dimensions=spec.dimensions,
        max_tokens=spec.max_tokens,
        context_length=spec.context or spec.max_tokens,
        parameters=22_700_000,
        quantization="F16",
        license="Apache-2.0",
    )


def _pull(name: Name) -> Iterator[Progress]:
    """Find that the one model is there already.

    Raises:
        ModelNotFound: another is wanted.
    """
    if name != _NAME:
        raise ModelNotFound(f"model '{name}' not found")
    return iter(())


def _delete(_: ServedModel) -> None:
    raise UsageError("the model inside the package cannot be removed")
