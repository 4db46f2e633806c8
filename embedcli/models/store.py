"""Models from the hub: the only door to huggingface_hub, and the only outward socket.

A model is planned first, which tells what it takes, and fetched then: the configs, the graph, and
the files of weights that the graph itself names. The library gives addresses, credentials, the
connection and its errors; the bytes are received here, since its own downloads begin anew where a
process was ended (its `_download_to_tmp_and_move`), and compare sizes but no hashes.
"""

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from embedcli import places
from embedcli.errors import EmbedError, ModelError, ModelNotFound, NetworkError, OutputError
from embedcli.models import graph, layout, local, receipts
from embedcli.models.blobs import Blob
from embedcli.models.local import Found
from embedcli.models.reference import Reference

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_PATIENCE: Final = 30  # seconds for the hub's first answer
_SPARE: Final = 50_000_000  # bytes to leave free on the disk
_PING: Final = 3  # seconds
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_DIGEST: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What the hub's library raises where an answer is not as it expects.
_UNREAD: Final = (AttributeError, LookupError, TypeError, ValueError)
_TRIES: Final = 4  # without a byte of progress, until a connection counts as broken for good


@dataclass(frozen=True, slots=True)
class File:
    """A file of a repo, as the hub describes it."""

    name: str
    size: int  # bytes
    digest: str  # sha256 of a large file; of a small one, git's sha1


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fetched for a model."""

    reference: Reference
    commit: str
    graph: str  # relative to the repo's root
    repo: dict[str, File]  # all its files, by name
    needed: tuple[str, ...]  # as far as names tell; the graph may ask for more

    @property
    def folder(self) -> Path:
        """Where the files will lie."""
        return local.repo_folder(self.reference) / "snapshots" / self.commit

    @property
    def missing(self) -> list[File]:
        """The needed files that are not here yet."""
        return [self.repo[name] for name in self.needed if not (self.folder / name).exists()]

    @property
    def size(self) -> int:
        """How many bytes are to be fetched."""
        return sum(file.size for file in self.missing)


Report = Callable[[int], None]  # is told how many bytes of a plan have come, from 0 to its size
Show = Callable[[Plan], AbstractContextManager[Report]]  # is told what comes, while it comes


def is_offline() -> bool:
    """Say whether the environment forbids the network, by the hub's own rules."""
    told = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return told.upper() in {"1", "ON", "YES", "TRUE"}


def absent(reference: Reference) -> NetworkError:
    """Return the error for a model that is not here, and may not be fetched."""
    return NetworkError(
        f"the model `{reference.name}` is not on this machine, and the network is forbidden",
        hint=f"where it is allowed, run: embed pull {reference.name}",
    )


def silently(_: Plan) -> AbstractContextManager[Report]:
    """Fetch a plan without a word."""
    return nullcontext(lambda _: None)


def obtain(
    reference: Reference,
    *,
    offline: bool = False,
    show: Show = silently,
) -> Found:
    """Return a model on this machine, fetched first if it is not there; `show` is told of that.

    Raises what `local.find`, `plan` and `fetch` do, and NetworkError where the network is
    forbidden.
    """
    offline = offline or is_offline()
    found = local.find(reference, guess=offline)
    if found is not None:
        return found
    if offline:
        raise absent(reference)
    wanted = plan(reference)
    fetch(wanted, show)
    return Found(reference, wanted.folder, wanted.graph, wanted.commit)


def ping() -> str:
    """Return the hub's address, if anything answers there.

    Raises:
        NetworkError: nothing does.
    """
    hub = _hub()
    try:
        hub.get_session().head(_endpoint(), timeout=_PING)
    except hub.errors.HTTPError as error:
        why = str(error) or type(error).__name__
        raise NetworkError(f"{_endpoint()} does not answer: {why}") from error
    return _endpoint()


def plan(reference: Reference) -> Plan:
    """Ask the hub what a model consists of.

    Raises:
        ModelNotFound: there is no such repo, revision or graph.
        ModelError: its owner does not let everybody in.
        NetworkError: the hub does not answer, or with nonsense, or the network is forbidden.
    """
    if is_offline():
        raise absent(reference)
    hub = _hub()
    try:
        info = hub.HfApi().model_info(
            reference.repo, revision=reference.revision, files_metadata=True, timeout=_PATIENCE
        )
    except Exception as error:  # httpx's and httpx2's errors share no ancestor with the hub's
        told = _translated(error, reference)
        unread = told is error and isinstance(error, _UNREAD)
        raise (_nonsense(reference) if unread else told) from error
    repo = {
        file.rfilename: _file(file) for file in info.siblings or () if _is_inside(file.rfilename)
    }
    # Both become names of files, and what answers may be a mirror.
    digests = [file.digest for file in repo.values()]
    if not _COMMIT.fullmatch(str(info.sha)) or not all(map(_DIGEST.fullmatch, digests)):
        raise _nonsense(reference)
    chosen = layout.choose_graph(repo, reference.file, where=reference.name)
    configs, weights = layout.configs(repo, chosen), layout.likely_weights(repo, chosen)
    return Plan(reference, info.sha, chosen, repo, (*configs, chosen, *weights))


def fetch(plan: Plan, show: Show = silently) -> None:
    """Fetch what a plan lacks.

    `show` is told of it, and once more where the graph, once it is here, asks for weights that no
    name gave away.

    Raises:
        ModelError: a file arrived damaged, or the graph is not safe.
        NetworkError: the connection broke off for good.
        OutputError: the disk has no room, or cannot be written.
    """
    _fetch_missing(plan, show)
    whole = replace(plan, needed=_all_needed(plan))
    _fetch_missing(whole, show)
    _note_branch(plan)
    folder = local.own_folder(plan.reference)
    receipts.add(folder, plan.commit, plan.repo.keys(), plan.graph, whole.needed)


def _fetch_missing(plan: Plan, show: Show) -> None:
    if plan.missing:
        _check_room(plan)
        with show(plan) as report:
            _download(plan, report)


def _all_needed(plan: Plan) -> tuple[str, ...]:
    """Return the needed files, with the weights that the fetched graph names."""
    beside = PurePosixPath(plan.graph).parent
    external = graph.read(plan.folder / plan.graph).external
    weights = [str(beside / location) for location in external]
    for name in weights:
        if name not in plan.repo:
            raise ModelError(
                f"`{plan.reference.name}` is damaged: its graph `{plan.graph}` wants the file "
                f"`{name}`, which the repo does not have"
            )
    # A file that only looks like weights is not needed, so its loss would not matter.
    likely = layout.likely_weights(plan.repo, plan.graph)
    certain = [name for name in plan.needed if name not in likely]
    return tuple(dict.fromkeys([*certain, *weights]))


def _check_room(plan: Plan) -> None:
    folder = next(path for path in (plan.folder, *plan.folder.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if plan.size + _SPARE > free:
        raise OutputError(
            f"the disk has no room for `{plan.reference.name}`: it takes "
            f"{plan.size / 1e6:,.0f} MB, and `{places.hub()}` has {free / 1e6:,.0f} MB left",
            hint="free some, or set HF_HUB_CACHE to a folder on a larger disk",
        )


def _download(plan: Plan, report: Report) -> None:
    before = 0
    for file in plan.missing:
        blob = Blob(local.repo_folder(plan.reference), file.digest)
        try:
            with blob.locked():
                if not blob.path.exists():
                    _receive(plan, file, blob.part, partial(_onward, report, before))
                    blob.keep(file.name)
                blob.link(plan.folder / file.name)
        except EmbedError:
            raise
        except Exception as error:  # httpx's and httpx2's errors share no ancestor with the hub's
            raise _translated(error, plan.reference) from error
        before += file.size


def _onward(report: Report, before: int, come: int) -> None:
    report(before + come)


def _receive(plan: Plan, file: File, part: Path, report: Report) -> None:
    """Append to `part` what it lacks of `file`; a connection that is cut is taken up again."""
    broken = _hub().errors.HTTPError
    refused = _hub().errors.HfHubHTTPError
    in_vain = 0
    while True:
        come = part.stat().st_size if part.exists() else 0
        try:
            return _stream(plan, file, part, report)
        except refused:
            raise
        except broken:
            in_vain = 0 if part.exists() and part.stat().st_size > come else in_vain + 1
            if in_vain == _TRIES:
                raise
            time.sleep(in_vain)


def _stream(plan: Plan, file: File, part: Path, report: Report) -> None:
    """Append to `part` what the hub sends of `file`, from where it ends."""
    hub = _hub()
    url = hub.hf_hub_url(plan.reference.repo, file.name, revision=plan.commit)
    timeout = hub.constants.HF_HUB_DOWNLOAD_TIMEOUT
    with part.open("ab") as content:
        headers = hub.utils.build_hf_headers() | {"Accept-Encoding": "identity"}
        if content.tell() >= file.size:
            return
        if content.tell():
            headers["Range"] = f"bytes={content.tell()}-"
        session = hub.get_session()
        with session.stream("GET", url, headers=headers, timeout=timeout) as response:
            hub.utils.hf_raise_for_status(response)
            if response.status_code != 206:
                content.truncate(0)
            for chunk in response.iter_bytes():
                content.write(chunk)
                report(content.tell())


def _note_branch(plan: Plan) -> None:
    """Note, as the hub's library does, which commit the revision stood at."""
    revision, repo = plan.reference.revision, local.repo_folder(plan.reference)
    if revision == plan.commit:
        return
    mark, part = repo / "refs" / revision, repo / f"ref.{os.getpid()}.part"
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(plan.commit, "utf-8")
        part.replace(mark)
    except OSError as error:
        raise _of_the_system(error, plan.reference) from error


def _file(file: "RepoSibling") -> File:
    if file.lfs is not None:
        return File(file.rfilename, file.lfs.size, str(file.lfs.sha256))
    return File(file.rfilename, file.size or 0, str(file.blob_id))


def _is_inside(name: str) -> bool:
    """Say whether a file's name stays in the repo; the hub has no others, a mirror may."""
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def _hub() -> Any:  # noqa: ANN401  # a module; its own types are left at this door
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # it is read at the import
    import huggingface_hub

    return huggingface_hub


def _translated(error: Exception, reference: Reference) -> Exception:
    """Return our error for one of the hub's library; what is not known stays as it is, a bug."""
    from huggingface_hub import errors

    known = (
        (errors.GatedRepoError, _gated),
        (errors.RepositoryNotFoundError, _no_repo),
        (errors.RevisionNotFoundError, _no_revision),
        (errors.HFValidationError, _no_repo),
        (errors.OfflineModeIsEnabled, absent),
    )
    for cause in _causes(error):
        for kind, translate in known:
            if isinstance(cause, kind):
                return translate(reference)
    for cause in _causes(error):
        if isinstance(cause, errors.HfHubHTTPError):
            return _unhelpful(reference, f"it answers {cause.response.status_code}")
        if type(cause).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2"):
            return _unhelpful(reference, str(cause) or type(cause).__name__)
    return _of_the_system(error, reference)


def _causes(error: BaseException | None) -> list[BaseException]:
    return [] if error is None else [error, *_causes(error.__cause__)]


def _gated(reference: Reference) -> EmbedError:
    page = f"{_endpoint()}/{reference.repo}"
    return ModelError(
        f"`{reference.repo}` is gated: its owner wants terms to be accepted first",
        hint=f"accept them at {page}, then set HF_TOKEN or run `hf auth login`",
    )


def _no_repo(reference: Reference) -> EmbedError:
    return ModelNotFound(
        f"model '{reference.name}' not found: the hub has no repo `{reference.repo}`",
        hint="check the name; a private repo needs HF_TOKEN",
    )


def _no_revision(reference: Reference) -> EmbedError:
    return ModelNotFound(
        f"model '{reference.name}' not found: "
        f"`{reference.repo}` has no revision `{reference.revision}`",
        hint=f"its commits are at {_endpoint()}/{reference.repo}/commits/main",
    )


def _unhelpful(reference: Reference, why: str) -> EmbedError:
    return NetworkError(
        f"cannot fetch `{reference.name}` from {_endpoint()}: {why}",
        hint="run it again: what has arrived is kept, and it continues from there",
    )


def _nonsense(reference: Reference) -> EmbedError:
    return NetworkError(
        f"cannot fetch `{reference.name}` from {_endpoint()}: its answer makes no sense",
        hint="HF_ENDPOINT may name a mirror that does not answer as the hub does",
    )


def _of_the_system(error: Exception, reference: Reference) -> Exception:
    """Return our error for the system's; the hub's library raises a bare one for a short file."""
    if not isinstance(error, OSError):
        return error
    if error.errno is None:
        return _unhelpful(reference, "the connection broke off")
    return OutputError(f"cannot write `{error.filename or places.hub()}`: {error.strerror}")


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
