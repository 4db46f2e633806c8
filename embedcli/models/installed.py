"""The models that take room on this machine: listed, and removed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedcli import places
from embedcli.errors import ModelError, ModelNotFound, OutputError
from embedcli.models import layout, local, receipts
from embedcli.models.catalog import BUNDLED, BUNDLED_GRAPHS, CATALOG
from embedcli.models.local import Found
from embedcli.models.reference import Reference, parse


@dataclass(frozen=True, slots=True)
class Kept:
    """A graph that can be run, what it takes, and when it was last of use."""

    name: str
    file: str  # relative to `where`
    where: Path
    size: int  # bytes of the graph and its weights
    dimensions: int | None  # None: its files are damaged
    revision: str | None  # the commit, where it came from the hub
    last_used: float | None  # seconds since 1970; None: never from here


def listed() -> Iterator[Kept]:
    """Yield the models on this machine: those inside the package, then those of the hub."""
    for reference in dict.fromkeys(parse(f"{BUNDLED}:{tag}") for tag in BUNDLED_GRAPHS):
        bundled = local.find(reference)
        assert bundled is not None, "it is part of the package"
        yield _kept(bundled)
    for folder in sorted(places.hub().glob("models--*--*")):
        repo = folder.name.removeprefix("models--").replace("--", "/", 1)
        for snapshot in sorted(folder.glob("snapshots/*")):
            yield from _in_snapshot(repo, snapshot)


def remove(reference: Reference) -> None:
    """Delete every revision of a repo, and what is kept here about it.

    Raises:
        ModelNotFound: it is not there.
        OutputError: the system does not let it be deleted.
    """
    folder = present(reference)
    # Renamed first, so that an interrupted removal leaves no half of a model to be found.
    doomed = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(f"cannot remove `{error.filename}`: {error.strerror}") from error
    shutil.rmtree(places.hub() / ".locks" / folder.name, ignore_errors=True)
    shutil.rmtree(local.own_folder(reference), ignore_errors=True)


def present(reference: Reference) -> Path:
    """Return the folder of a repo in the hub's cache.

    Raises:
        ModelNotFound: it is not there.
    """
    folder = local.repo_folder(reference)
    if not folder.is_dir():
        raise ModelNotFound(f"model '{reference.name}' not found: it is not on this machine")
    return folder


def takes(reference: Reference) -> int:
    """Return the bytes that a repo takes, with what is kept here about it."""
    folders = (local.repo_folder(reference), local.own_folder(reference))
    return sum(map(places.takes, folders))


def name_of(repo: str, file: str) -> str:
    """Return the shortest catalogue name of a graph, or the name of its repo."""
    names = [
        name if tag == "latest" else f"{name}:{tag}"
        for name, rows in CATALOG.items()
        for tag, row in rows.items()
        if (row.repo, row.file) == (repo, file)
    ]
    # The repo that the bundled model was made from has names which mean the bundled one.
    return min((name for name in names if not parse(name).bundled), key=len, default=repo)


def _in_snapshot(repo: str, snapshot: Path) -> Iterator[Kept]:
    anyone = Reference(repo, repo=repo, revision=snapshot.name)
    receipt = receipts.read(local.own_folder(anyone), snapshot.name)
    for file in sorted({*receipt.graphs, *layout.graphs_in(snapshot)}):
        named = Reference(name_of(repo, file), repo=repo, revision=snapshot.name, file=file)
        found = Found(named, snapshot, file, snapshot.name)
        if local.is_whole(found, receipt):
            yield _kept(found)


def _kept(found: Found) -> Kept:
    try:
        spec = local.spec(found)
        size, dimensions = spec.size, spec.dimensions
    except ModelError:
        size, dimensions = found.graph.stat().st_size, None
    name, used = found.reference.name, local.last_use(found)
    return Kept(name, found.file, found.folder, size, dimensions, found.revision, used)
