"""The store of the models on this machine: the bundled one, and those in the hub's cache.

A name reaches `reference.parse` only after Ollama's grammar has let it pass, which has no paths;
and a model is loaded with the network forbidden, so nothing is fetched but by a pull.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import orjson

from embedcli.engine.embedder import Embedder
from embedcli.errors import EmbedError, ModelError, ModelNotFound, NetworkError
from embedcli.load import load
from embedcli.models import hashes, installed, reference, store
from embedcli.models import local as disk
from embedcli.models.catalog import BUNDLED
from embedcli.models.configs import Configs
from embedcli.models.local import Found
from embedcli.models.spec import ModelSpec
from embedcli.server import names
from embedcli.server.names import HOST, NAMESPACE, Name
from embedcli.server.store import ModelStore, Progress, ServedModel

_UNTOLD = "onnx"  # the family of a model whose config.json tells none

# Of a spec: how the model is called and where it lies, which no vector depends on.
_PLACES = {"name", "folder", "graph", "tokenizer", "weights", "revision"}

# How Ollama would call what the end of a tag says: `q8`, `335m-q8`.
_QUANTIZATIONS = {"q4": "Q4", "q8": "Q8", "int8": "INT8", "fp16": "F16"}

# What config.json does not tell, for the one model of which it is known.
_BUNDLED_WEIGHTS = 22_713_216


def model_store(*, threads: int | None = None, device: str = "cpu") -> ModelStore:
    """Return the store; its models run on `threads` cores of `device`.

    Raises:
        UsageError: `device` is not there, or does not run the model inside the package.
    """
    if device != "cpu":
        with load(BUNDLED, threads=threads, device=device, offline=True) as embedder:
            embedder.load()

    def open_model(model: ServedModel) -> Embedder:
        try:
            return load(model.name.typed(), threads=threads, device=device, offline=True)
        except NetworkError as error:  # without the network, that is what an absent model needs
            raise ModelNotFound(f"model '{model.name}' not found: it is gone") from error

    return ModelStore(_models, _find, open_model, _pull, _delete)


def _models() -> Sequence[ServedModel]:
    found: dict[Name, ServedModel] = {}
    with suppress(ModelError):  # a cache that nobody may read: the bundled model came before it
        for entry in installed.listed():
            name = names.parse(entry.name)
            model = None if name is None else _find(name)
            if model is not None:
                found[model.name] = model
    return list(found.values())


def _find(name: Name) -> ServedModel | None:
    """Return what `name` means if it is on this machine; a catalogue's alias is as good.

    Names of the catalogue are in lower case, and those of repos in the case of their folders.
    """
    if name.host != HOST or (name.namespace == NAMESPACE and name != name.folded()):
        return None
    with suppress(EmbedError):
        found = disk.find(reference.parse(name.typed()))
        return None if found is None else _described(_under_its_own_name(found))
    return None


def _under_its_own_name(found: Found) -> Found:
    """Return the same model by the shortest of its names, so that all of them mean one."""
    if found.reference.repo is None:
        return found
    shortest = disk.find(reference.parse(installed.name_of(found.reference.repo, found.file)))
    return shortest if shortest is not None and shortest.graph == found.graph else found


@lru_cache(maxsize=256)
def _described(found: Found) -> ServedModel:
    """Return the facts of a model; read once, since a commit's files never change."""
    name = names.parse(found.reference.name)
    assert name is not None, "it was found by such a name"
    spec = disk.spec(found)
    config = Configs(spec.folder, spec.graph).read("config.json")
    return ServedModel(
        name=name,
        size=spec.size + spec.tokenizer.stat().st_size,
        digest=_digest(spec),
        modified=datetime.fromtimestamp(spec.graph.stat().st_mtime, UTC),
        family=config.text("model_type") or _UNTOLD,
        dimensions=spec.dimensions,
        max_tokens=spec.max_tokens,
        context_length=max(spec.context or 0, spec.max_tokens),
        parameters=_BUNDLED_WEIGHTS if found.reference.bundled else 0,
        quantization=_QUANTIZATIONS.get(name.tag.rpartition("-")[2], "F32"),
        removable=not found.reference.bundled,
        prompts=spec.prompts,
        default_prompt=spec.default_prompt,
    )


def _digest(spec: ModelSpec) -> str:
    """Return a hash of all that decides a vector: what is in the files, and what is made of it.

    The graph alone would not do: repos share one, and differ in tokenizer, pooling or weights.
    """
    facts = {
        field.name: getattr(spec, field.name)
        for field in fields(spec)
        if field.compare and field.name not in _PLACES
    }

    def place(path: Path) -> str:
        return path.relative_to(spec.folder).as_posix()

    told = {"files": hashes.of_model(spec), "facts": facts}
    document = orjson.dumps(told, default=place, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(document).hexdigest()


def _pull(name: Name, report: Callable[[Progress], None]) -> None:
    """Fetch a model, telling how far it has come; one that is here takes no time.

    Raises what `store.plan` and `store.fetch` do.
    """
    wanted = reference.parse(name.typed())
    if name.host == HOST and disk.find(wanted) is not None:
        return
    if name.host != HOST or wanted.repo is None:
        raise ModelNotFound(f"model '{name}' not found")
    plan = store.plan(wanted)

    def reporting(plan: store.Plan) -> AbstractContextManager[store.Report]:
        return nullcontext(lambda come: report(Progress(plan.commit[:12], plan.size, come)))

    store.fetch(plan, reporting)


def _delete(model: ServedModel) -> None:
    """Delete all revisions and graphs of a model's repo.

    Raises:
        OutputError: the system does not let it be deleted.
    """
    installed.remove(reference.parse(model.name.typed()))
