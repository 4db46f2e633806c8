"""`embed doctor`: what matters of this machine when something is odd."""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from embedcli import __version__
from embedcli.cli import options
from embedcli.cli.console import in_bytes
from embedcli.errors import EmbedError, ModelError

if TYPE_CHECKING:
    from embedcli.engine.embedder import Embedder
    from embedcli.models.spec import ModelSpec

# What is declared as needed, but for onnxruntime, which has a finding of its own.
_PACKAGES: Final = (
    "tokenizers", "numpy", "huggingface-hub", "filelock", "orjson", "starlette", "uvicorn",
    "httptools", "prometheus-client", "typer", "rich",
)  # fmt: skip
_EXTRAS: Final = {"pyarrow": "parquet", "zstandard": "zst"}
_VARIABLES: Final = ("EMBED_", "HF_", "HUGGINGFACE_", "OLLAMA_", "ORT_", "OMP_", "XDG_CACHE_HOME")
_SECRETS: Final = ("TOKEN", "KEY")


class State(StrEnum):
    """What a finding means."""

    OK = "ok"
    NOTE = "note"  # odd perhaps, but vectors come and are right
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact of this machine."""

    what: str
    state: State
    found: str


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    offline: options.Offline = False,
) -> None:
    """Examine this machine, from versions to vectors.

    Broken is what keeps vectors from coming, or from being right; all else is worth a note at
    most, such as a hub that does not answer.
    """
    findings = []
    for finding in _examine(offline=offline):
        findings.append(finding)
        if not as_json:
            typer.echo(f"{finding.what:16} {finding.state:6} {finding.found}")
    broken = [finding.what for finding in findings if finding.state is State.BROKEN]
    if as_json:
        typer.echo(_document(findings))
    if broken:
        raise ModelError(
            f"this installation is broken: {', '.join(broken)}",
            hint="install it anew: pip install --force-reinstall embedcli",
        )


def _document(findings: list[Finding]) -> str:
    rows = [
        {"what": finding.what, "state": finding.state.lower(), "found": finding.found}
        for finding in findings
    ]
    ok = all(finding.state is not State.BROKEN for finding in findings)
    return json.dumps({"ok": ok, "findings": rows}, ensure_ascii=False)


def _examine(*, offline: bool) -> Iterator[Finding]:
    yield Finding("embedcli", State.OK, __version__)
    yield Finding("python", State.OK, f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    yield _cores()
    yield from _folders()
    yield from _environment()
    yield _hub(offline=offline)
    try:
        yield from _engine()
    except ImportError as error:  # a library that is missing, or was built for another system
        yield Finding("engine", State.BROKEN, f"cannot be imported: {error}")
    except EmbedError as error:
        yield Finding("engine", State.BROKEN, str(error))


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version  # 20 ms that only this needs

    for name in _PACKAGES:
        try:
            yield Finding(name, State.OK, version(name))
        except PackageNotFoundError:
            yield Finding(name, State.BROKEN, "not installed")
    for name, extra in _EXTRAS.items():
        try:
            yield Finding(name, State.OK, version(name))
        except PackageNotFoundError:
            missing = f"not installed: pip install 'embedcli[{extra}]'"
            yield Finding(name, State.NOTE, missing)


def _cores() -> Finding:
    from embedcli.engine import cores

    allowed, present = cores.allowed(), os.cpu_count() or 1
    state = State.OK if allowed == present else State.NOTE
    return Finding("cores", state, f"{allowed} allowed of {present} present")


def _folders() -> Iterator[Finding]:
    from embedcli import places

    for what, place in (("models", places.hub), ("cache", places.own)):
        try:
            yield _folder(what, place())
        except EmbedError as error:
            yield Finding(what, State.NOTE, f"{error} ({error.hint})")


def _folder(what: str, folder: Path) -> Finding:
    from embedcli import places

    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110
    writable = os.access(there, os.W_OK)
    found = f"{folder}: {in_bytes(places.takes(folder))}"
    state = State.OK if writable else State.NOTE
    return Finding(what, state, found if writable else f"{found}, and cannot be written")


def _environment() -> Iterator[Finding]:
    for name, value in sorted(os.environ.items()):
        if name.startswith(_VARIABLES):
            secret = any(word in name for word in _SECRETS)
            yield Finding("environment", State.OK, f"{name}={'…' if secret else value}")


def _hub(*, offline: bool) -> Finding:
    from embedcli.models import store

    if offline or store.is_offline():
        return Finding("hub", State.OK, "not asked: the network is forbidden")
    try:
        return Finding("hub", State.OK, f"{store.ping()} answers")
    except EmbedError as error:
        return Finding("hub", State.NOTE, str(error))


def _engine() -> Iterator[Finding]:
    """Run the models inside the package: one on every device, each against its reference."""
    from embedcli.engine import session
    from embedcli.load import load

    yield Finding("onnxruntime", State.OK, session.VERSION)
    with load(offline=True) as embedder:
        for device in session.devices():
            yield _device(embedder.spec, device)
        yield _vectors(embedder)
    with load("all-minilm:int8", offline=True) as embedder:
        yield _vectors(embedder)


def _vectors(embedder: "Embedder") -> Finding:
    from embedcli.drift import measure
    from embedcli.models import golden

    drifts = measure(embedder, golden.beside(embedder.spec.folder, embedder.spec.graph))
    worst = max(drift.max_abs for drift in drifts)
    state = State.OK if all(drift.within for drift in drifts) else State.BROKEN
    found = f"{embedder.spec.name} is within {worst:.1e} of {drifts[0].golden.says}"
    return Finding("vectors", state, found)


def _device(spec: "ModelSpec", device: str) -> Finding:
    import numpy as np

    from embedcli.engine.session import Session

    try:
        Session(spec, threads=1, device=device).run(np.zeros((1, 2), np.int64))
    except EmbedError as error:
        state = State.BROKEN if device == "cpu" else State.NOTE
        return Finding(f"device {device}", state, str(error))
    return Finding(f"device {device}", State.OK, "runs")
