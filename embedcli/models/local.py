"""The models on this machine, found with plain calls to the system. Opens no socket.

Models lie in the hub's own cache, which other programs share:

    models--org--name/refs/main              the commit that a branch stood at
    models--org--name/snapshots/COMMIT/...   the files of a commit, links into
    models--org--name/blobs/HASH             their contents
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedcli import places
from embedcli.errors import ModelError, ModelNotFound
from embedcli.models import layout, reading, receipts
from embedcli.models.catalog import KNOWN
from embedcli.models.reference import Reference, parse
from embedcli.models.spec import ModelSpec, Pooling

_BUNDLED: Final = Path(__file__).parent / "bundled" / "all-minilm"


@dataclass(frozen=True, slots=True)
class Found:
    """A model on this machine."""

    reference: Reference
    folder: Path  # the root of its files
    file: str  # the graph, relative to `folder`
    revision: str | None = None  # the commit, where it came from the hub

    @property
    def graph(self) -> Path:
        """Where the graph lies. Never resolved: its weights lie beside the link."""
        return self.folder / self.file


def meant(typed: str, *, onnx_file: str | None = None) -> Reference:
    """Return what `typed` means, as `reference.parse` does.

    Raises what that does; where it means nothing but there is a folder of that name, the hint
    tells how that is written.
    """
    try:
        return parse(typed, onnx_file=onnx_file)
    except ModelNotFound as error:
        with suppress(OSError, ValueError):  # no name of a file, perhaps
            if typed and Path(typed).is_dir():
                error.hint = f"for the folder of that name, write ./{typed}"
        raise


def find(reference: Reference, *, guess: bool = False) -> Found | None:
    """Return where a model lies; None where a repo is absent, or lacks a file that it needs.

    What another program fetched counts as a whole model only if its files tell the pooling, for
    it may have left out just the one that does; `guess` takes it all the same if its graph is here.

    Raises:
        ModelNotFound: a folder that is not there, or one without the graph.
    """
    if reference.bundled:
        assert reference.file is not None, "it is one of two"
        return Found(reference, _BUNDLED, reference.file)
    if reference.folder is not None:
        return _in_folder(reference, reference.folder)
    commit = _commit(reference)
    if commit is None:
        return None
    folder = repo_folder(reference) / "snapshots" / commit
    receipt = receipts.read(own_folder(reference), commit)
    if reference.file is not None:
        file: str | None = reference.file
    elif receipt.names:
        file = layout.choose_graph(receipt.names, None, where=reference.name)
    else:
        file = layout.plain_graph(layout.graphs_in(folder))
    if file is None:
        return None
    found = Found(reference, folder, file, commit)
    return found if is_whole(found, receipt, guess=guess) else None


def is_whole(found: Found, receipt: receipts.Receipt, *, guess: bool = False) -> bool:
    """Say whether all that a graph needs is here: by its receipt, else by its own files."""
    if found.file in receipt.graphs:
        return all((found.folder / name).exists() for name in receipt.graphs[found.file])
    if guess:
        return found.graph.is_file()
    try:
        return not spec(found).warnings
    except ModelError:
        return False


def spec(found: Found, *, pooling: Pooling | None = None) -> ModelSpec:
    """Read what a model's files and the catalogue say of it; raises as `reading.read` does."""
    return reading.read(
        found.folder,
        found.graph,
        name=found.reference.name,
        known=KNOWN.get(found.reference.repo or ""),
        pooling=pooling,
        revision=found.revision,
    )


def repo_folder(reference: Reference) -> Path:
    """Return the folder of a repo in the hub's cache."""
    assert reference.repo is not None, "only repos lie in the hub's cache"
    return places.hub() / ("models--" + reference.repo.replace("/", "--"))


def own_folder(reference: Reference) -> Path:
    """Return the folder of what is kept here about a repo: receipts, and optimised graphs."""
    return places.own() / "models" / repo_folder(reference).name


def note_use(found: Found) -> None:
    """Remember that a model was used just now; where that cannot be written, it is not."""
    if found.reference.repo is None:
        return
    mark = own_folder(found.reference) / "used"
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def last_use(found: Found) -> float | None:
    """Return when a model was last used from here, in seconds since 1970; None if never."""
    if found.reference.repo is not None:
        with suppress(OSError):
            return (own_folder(found.reference) / "used").stat().st_mtime
    return None


def _in_folder(reference: Reference, folder: Path) -> Found:
    if not folder.is_dir():
        raise ModelNotFound(f"the folder `{reference.name}` does not exist")
    names = layout.graphs_in(folder)
    if reference.file is not None and (folder / reference.file).is_file():
        names.append(reference.file)  # however deep it lies
    return Found(
        reference, folder, layout.choose_graph(names, reference.file, where=reference.name)
    )


def _commit(reference: Reference) -> str | None:
    """Return the commit that a reference's revision stands for, as far as is known here."""
    root, revision = repo_folder(reference), reference.revision
    with suppress(OSError):
        revision = (root / "refs" / revision).read_text("utf-8").strip()
    return revision if revision.isalnum() and (root / "snapshots" / revision).is_dir() else None
