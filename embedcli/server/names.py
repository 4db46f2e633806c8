"""Model names as Ollama writes them: `[host/][namespace/]model[:tag]`, never a path."""

import re
from dataclasses import dataclass
from functools import lru_cache

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}", re.ASCII)
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", re.ASCII)
_BLANK = " \t\n\v\f\r\x85\xa0"


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its defaults filled in; two names of one model are equal but for case."""

    model: str
    tag: str = TAG
    namespace: str = NAMESPACE
    host: str = HOST

    def __str__(self) -> str:
        """Return the name as Ollama's lists show it: always the tag, never a default."""
        parts = [self.model + ":" + self.tag]
        if self.host != HOST or self.namespace != NAMESPACE:
            parts.insert(0, self.namespace)
        if self.host != HOST:
            parts.insert(0, self.host)
        return "/".join(parts)

    def typed(self) -> str:
        """Return the name as it is typed on the command line, where no model has a host."""
        model = self.model if self.tag == TAG else f"{self.model}:{self.tag}"
        return model if self.namespace == NAMESPACE else f"{self.namespace}/{model}"

    def folded(self) -> "Name":
        """Return the name that equals every other spelling in upper or lower case."""
        return Name(
            *(part.casefold() for part in (self.model, self.tag, self.namespace, self.host))
        )


def is_empty(text: str) -> bool:
    """Tell whether `text` names nothing at all."""
    return not text.strip(_BLANK)


@lru_cache(maxsize=1024)
def parse(text: str) -> Name | None:
    """Return the name that `text` spells, or None where it spells none.

    The grammar is that of Ollama's `types/model/name.go`; a trailing `:local` says that the model
    is on this machine, as all of ours are.
    """
    text = text.strip(_BLANK)
    if text[-6:].lower() == ":local":
        text = text[:-6]
    *parents, model = text.split("/")
    model, colon, tag = model.partition(":")
    if len(parents) > 2:
        return None
    host, namespace = [*[HOST, NAMESPACE][: 2 - len(parents)], *parents]
    name = Name(model, tag if colon else TAG, namespace, host)
    return name if _is_valid(name) else None


def is_remote(text: str) -> bool:
    """Tell whether `text` asks for Ollama's own cloud: `:cloud`, or a tag that ends in `-cloud`."""
    tag = text.strip(_BLANK).lower().rpartition("/")[2].partition(":")[2]
    return tag.removesuffix(":local").rpartition(":")[2] == "cloud" or tag.endswith("-cloud")


def _is_valid(name: Name) -> bool:
    return all(
        pattern.fullmatch(part)
        for pattern, part in (
            (_HOST, name.host),
            (_NAMESPACE, name.namespace),
            (_PART, name.model),
            (_PART, name.tag),
        )
    )
