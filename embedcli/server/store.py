"""What the server knows of models: their names and facts, and functions that load and fetch them.

A request's name is parsed by `names` before any of these sees it, so it can never be a path.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from embedcli.engine.embedder import Embedder
from embedcli.server.names import Name


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that lies on this machine, as Ollama's lists describe one."""

    name: Name
    size: int  # bytes
    digest: str  # 64 hexadecimal digits
    modified: datetime  # with its zone
    family: str  # `bert`
    dimensions: int
    max_tokens: int  # the limit of a text where a request sets none
    context_length: int  # the highest limit that a request may set
    parameters: int = 0  # weights; 0 where it is not known
    quantization: str = "F32"
    removable: bool = True  # False: it is a part of the program
    prompts: Mapping[str, str] = field(default_factory=dict)  # the words, by a prompt's name
    default_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a download."""

    file: str
    total: int  # bytes
    completed: int  # bytes


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The models that are served, and what can be done with them; each function may be slow."""

    models: Callable[[], Sequence[ServedModel]]
    find: Callable[[Name], ServedModel | None]  # by its exact name, listed or not
    load: Callable[[ServedModel], Embedder]  # raises ModelNotFound for one that is gone
    pull: Callable[[Name, Callable[[Progress], None]], None]  # tells each step as it comes
    delete: Callable[[ServedModel], None]


class ModelIndex:
    """The models of a store by name, looked up again only where a name is not known."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._known: dict[Name, ServedModel] = {}

    def models(self) -> list[ServedModel]:
        """Look what is in the store now; the newest first."""
        models = sorted(self._store.models(), key=lambda model: model.modified, reverse=True)
        self._known = {model.name: model for model in models}
        return models

    def known(self, name: Name) -> ServedModel | None:
        """Return the model called exactly `name`, if it was there when last looked."""
        return self._known.get(name)

    def find(self, name: Name, *, any_case: bool = True) -> ServedModel | None:
        """Look for the model called `name`, in any case unless told otherwise; may be slow."""
        models = self.models()
        exact = self._known.get(name) or self._store.find(name)
        if exact is not None:
            self._known[name] = exact
        if exact is not None or not any_case:
            return exact
        folded = name.folded()
        alike = next((model for model in models if model.name.folded() == folded), None)
        return alike or self._store.find(folded)
