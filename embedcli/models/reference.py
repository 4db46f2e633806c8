"""A model's name as typed, and what it means: the bundled model, a graph on the hub, or a folder.

Nothing here looks at the disk or the network. A bare word is always a catalogue name and a folder
is always written as a path, so that nothing in the working folder can shadow a name.
"""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedcli.errors import ModelNotFound, UsageError
from embedcli.models.catalog import BUNDLED, BUNDLED_GRAPHS, CATALOG, Row

# What the hub allows (huggingface_hub, `validate_repo_id`): 96 characters, and neither `--` nor
# `..`, so that no name can be mistaken for another folder of the cache.
_PART: Final = r"[A-Za-z0-9_](?:[\w.-]{0,94}[\w])?"
_REPO: Final = re.compile(rf"({_PART}/{_PART})(?:@([\w./-]{{1,128}}))?", re.ASCII)
_FOLDER: Final = re.compile(r"\.{0,2}[/\\]|\.{1,2}$|~(?:[/\\]|$)|[A-Za-z]:[/\\]")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a name means. Exactly one of `repo`, `folder` and `bundled` is set."""

    name: str  # for messages, as a person would type it
    repo: str | None = None  # on the hub: `org/name`
    revision: str = "main"
    file: str | None = None  # the graph; None: the plain one, or the only one
    folder: Path | None = None
    bundled: bool = False


def parse(typed: str, *, onnx_file: str | None = None) -> Reference:
    """Return what `typed` means; `onnx_file` names another graph of the same model.

    Raises:
        ModelNotFound: it is no name of the catalogue, nor of any other kind.
        UsageError: `onnx_file` leads out of the model.
    """
    file = None if onnx_file is None else _inside(onnx_file)
    if _FOLDER.match(typed):
        return Reference(typed, folder=Path(typed).expanduser(), file=file)
    if "/" in typed or "\\" in typed:
        return _on_the_hub(typed, file)
    name, _, tag = typed.lower().partition(":")
    if name == BUNDLED and file is None and (tag or "latest") in BUNDLED_GRAPHS:
        return _bundled(BUNDLED_GRAPHS[tag or "latest"])
    row = _row(typed, name, tag)
    shown = f"{name}:{tag}" if tag not in ("", "latest") else name
    return Reference(shown, repo=row.repo, revision=row.revision, file=file or row.file)


def _inside(file: str) -> str:
    if file.startswith(("/", "~")) or ".." in file.split("/") or "\\" in file or ":" in file:
        raise UsageError(f"the graph `{file}` is not a path inside the model's folder")
    return file.removeprefix("./")


def _bundled(graph: str) -> Reference:
    """Return what is inside the package, by its first tag."""
    tag = next(tag for tag, file in BUNDLED_GRAPHS.items() if file == graph)
    name = BUNDLED if tag == "latest" else f"{BUNDLED}:{tag}"
    return Reference(name, file=graph, bundled=True)


def _on_the_hub(typed: str, file: str | None) -> Reference:
    match = _REPO.fullmatch(typed)
    repo, revision = match.groups(default="main") if match else ("", "")
    if not match or any(mark in typed for mark in ("--", "..", "//")) or revision.startswith("/"):
        raise ModelNotFound(
            f"`{typed}` is no model: neither a hub repo (org/name, org/name@revision) nor a path",
            hint=f"if it is a folder, write ./{typed}",
        )
    return Reference(typed, repo=repo, revision=revision, file=file)


def _row(typed: str, name: str, tag: str) -> Row:
    tags = CATALOG.get(name)
    if tags is None:
        raise ModelNotFound(f"model '{typed}' not found", hint=_closest(name))
    row = tags.get(tag or "latest")
    if row is None:
        inside = BUNDLED_GRAPHS if name == BUNDLED else {}
        raise ModelNotFound(
            f"model '{typed}' not found: `{name}` has no tag `{tag}`",
            hint=f"it has {', '.join(sorted({*tags, *inside}))}",
        )
    return row


def _closest(name: str) -> str:
    """Say what may have been meant."""
    close = difflib.get_close_matches(name, CATALOG, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return "name a model of the catalogue (`embed list --all`), a hub repo (org/name) or a ./folder"
