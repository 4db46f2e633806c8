"""The plan of the house: who may import whom, and which room is the door to which package."""

import ast
from pathlib import Path

import pytest

import embedcli

HOUSE = Path(embedcli.__file__).parent

# A room, and the rooms it imports; each stands below the rooms that it is imported by.
PLAN = {
    "errors": "",
    "records": "",
    "keys": "errors",
    "places": "errors",
    "feed": "",
    "outcomes": "errors records",
    "models.spec": "",
    "models.graph": "errors",
    "models.hashes": "models.spec",
    "models.safetensors": "errors",
    "models.configs": "errors",
    "models.layout": "errors",
    "models.receipts": "",
    "models.blobs": "errors",
    "models.modules": "errors models.configs models.spec",
    "models.reading": "errors models.configs models.graph models.modules models.spec",
    "models.catalog": "models.spec",
    "models.golden": "errors models.catalog",
    "models.reference": "errors models.catalog",
    "models.local": (
        "errors models.catalog models.layout models.reading models.receipts models.reference "
        "models.spec places"
    ),
    "models.installed": (
        "errors models.local models.catalog models.layout models.receipts models.reference places"
    ),
    "models.store": (
        "errors models.blobs models.local models.graph models.layout models.receipts "
        "models.reference places"
    ),
    "engine.cores": "",
    "engine.tokens": "errors records",
    "engine.processor": "",
    "engine.copies": "engine.processor models.spec",
    "engine.session": "engine.copies errors models.spec records",
    "engine.pooling": "models.spec records",
    "engine.dense": "errors models.safetensors models.spec records",
    "engine.batches": "records",
    "engine.asked": "errors models.spec records",
    "engine.runs": (
        "engine.asked engine.batches engine.tokens errors models.spec outcomes records"
    ),
    "engine.embedder": (
        "engine.batches engine.dense engine.pooling engine.runs engine.session engine.tokens "
        "models.spec outcomes records"
    ),
    "load": (
        "engine.batches engine.cores engine.embedder engine.session engine.tokens errors "
        "models.local models.spec models.store"
    ),
    "similar": "errors records",
    "embeds": "models.spec outcomes records",
    "pairing": "embeds errors records",
    "cache": "embeds errors feed outcomes records",
    "formats.streams": "errors",
    "formats.sources": "errors",
    "formats.record": "errors records",
    "formats.fields": "errors",
    "formats.objects": "",
    "formats.shape": "errors formats.fields formats.objects formats.record records",
    "formats.lines": "formats.record formats.sources",
    "formats.whole": "errors formats.lines formats.record formats.sources",
    "formats.jsonl": (
        "errors formats.fields formats.lines formats.objects formats.record formats.shape "
        "formats.sources records"
    ),
    "formats.csv": "errors formats.fields formats.record formats.sources",
    "formats.parquet": (
        "errors formats.fields formats.lines formats.record formats.shape formats.sources records"
    ),
    "formats.npy": "formats.record records",
    "formats.ollama": "records",
    "formats.inputs": (
        "errors formats.csv formats.fields formats.jsonl formats.lines formats.parquet "
        "formats.record formats.sources formats.whole"
    ),
    "formats.outputs": (
        "errors formats.jsonl formats.npy formats.parquet formats.record formats.shape "
        "formats.sources"
    ),
    "journal": "errors",
    "engine.windows": "engine.tokens errors",
    "engine.machine": "engine.processor engine.session",
    "provenance": "engine.asked models.hashes models.spec records",
    "formats.stored": "errors formats.inputs formats.record formats.sources records",
    "candidates": (
        "errors formats.objects formats.record formats.stored models.spec provenance records"
    ),
    "comparison": (
        "candidates embeds errors formats.inputs formats.stored models.spec pairing records similar"
    ),
    "drift": "embeds models.golden records",
    "pipeline": (
        "embeds engine.windows errors feed formats.outputs formats.record journal outcomes records"
    ),
    "job": (
        "embeds engine.session engine.windows formats.inputs formats.outputs formats.record "
        "formats.shape formats.streams journal pipeline provenance records"
    ),
    "server.address": "",
    "server.gojson": "errors",
    "server.metrics": "server.gojson",
    "server.duration": "errors server.gojson",
    "server.environment": "errors server.address server.duration",
    "server.names": "",
    "server.wire": "errors records server.duration server.gojson server.names",
    "server.openai": "records server.gojson server.wire",
    "server.guard": "errors formats.sources server.gojson server.metrics server.openai server.wire",
    "server.admission": "engine.embedder records server.wire",
    "server.store": "engine.embedder server.names",
    "server.pool": "engine.embedder server.names server.store",
    "server.embedding": (
        "engine.embedder errors formats.ollama records server.admission server.gojson "
        "server.guard server.metrics server.names server.openai server.pool server.store "
        "server.wire"
    ),
    "server.management": (
        "errors server.embedding server.gojson server.guard server.metrics server.names "
        "server.store server.wire"
    ),
    "server.app": (
        "errors server.admission server.embedding server.guard server.management server.metrics "
        "server.names server.pool server.store server.wire"
    ),
    "server.local": (
        "engine.embedder errors load models.local models.catalog models.configs models.hashes "
        "models.installed models.reference models.spec models.store server.names server.store"
    ),
    "server.run": "errors server.guard",
    "remote": (
        "engine.asked engine.cores errors feed keys models.spec outcomes records server.wire"
    ),
    "cli.console": "",
    "cli.options": "errors formats.streams records",
    "cli.fetching": "cli.console models.store",
    "cli.start": (
        "cli.console cli.fetching embeds engine.embedder errors load models.reference models.store "
        "remote"
    ),
    "cli.pull": (
        "cli.console cli.fetching cli.options errors models.local models.reference models.store"
    ),
    "cli.list": "cli.console models.catalog models.installed",
    "cli.show": "cli.console cli.options errors load models.local models.hashes models.spec",
    "cli.rm": "cli.console errors models.installed models.reference",
    "cli.doctor": (
        "cli.console cli.options drift engine.cores engine.embedder engine.session errors load "
        "models.golden models.spec models.store places"
    ),
    "cli.verify": "cli.console cli.options cli.start drift errors models.local models.golden",
    "cli.progress": "cli.console pipeline",
    "cli.estimate": "cli.progress job journal",
    "cli.cache": "cache cli.console places",
    "cli.ranking": "candidates comparison similar",
    "cli.memory": "cache embeds engine.machine models.hashes places",
    "cli.similar": (
        "cli.console cli.memory cli.options cli.progress cli.ranking cli.start comparison "
        "errors formats.inputs formats.stored formats.streams pipeline records similar"
    ),
    "cli.file": (
        "cli.console cli.estimate cli.memory cli.options cli.progress cli.start embeds "
        "engine.asked engine.embedder engine.windows errors formats.inputs formats.outputs "
        "formats.shape formats.streams job pipeline records"
    ),
    "cli.text": (
        "cli.console cli.options cli.start embeds errors formats.jsonl formats.lines "
        "formats.npy formats.ollama formats.record formats.sources formats.streams pairing "
        "records"
    ),
    "cli.serve": (
        "cli.console cli.options errors keys places server.address server.app server.duration "
        "server.environment server.guard server.local server.metrics server.names server.run"
    ),
    "quantize.report": "engine.embedder records",
    "quantize.folder": "errors models.layout models.spec quantize.report",
    "quantize.numbers": "",
    "quantize.graph": "errors quantize.numbers",
    "quantize.sites": "quantize.graph quantize.numbers",
    "quantize.smoothing": "quantize.numbers",
    "quantize.calibration": (
        "engine.session quantize.graph quantize.numbers quantize.sites quantize.smoothing"
    ),
    "quantize.rounding": "quantize.numbers",
    "quantize.tables": "quantize.graph quantize.numbers quantize.rounding",
    "quantize.plan": (
        "quantize.graph quantize.numbers quantize.rounding quantize.sites quantize.smoothing"
    ),
    "quantize.rewrite": "quantize.graph quantize.plan quantize.tables",
    "quantize.search": "quantize.plan",
    "quantize.texts": "errors",
    "quantize.recipe": (
        "engine.asked engine.cores engine.embedder errors load models.spec quantize.calibration "
        "quantize.graph quantize.plan quantize.report quantize.rewrite quantize.search "
        "quantize.sites quantize.tables quantize.texts records"
    ),
    "cli.quantize": (
        "cli.console cli.options cli.start formats.inputs formats.record quantize.folder "
        "quantize.recipe quantize.report quantize.texts"
    ),
    "cli.app": (
        "cli.cache cli.doctor cli.file cli.list cli.pull cli.quantize cli.rm cli.serve cli.show "
        "cli.similar cli.text cli.verify"
    ),
    "cli.main": "cli.app cli.console cli.start errors formats.streams",
    "__main__": "cli.main",
}
ONE_DOOR = {
    "onnxruntime": {"engine.session"},
    "tokenizers": {"engine.tokens"},
    "huggingface_hub": {"models.store"},
    "uvicorn": {"server.run"},
    "prometheus_client": {"server.metrics"},
    "zstandard": {"formats.sources"},
    "onnx": {room for room in PLAN if room.startswith("quantize.")},
}
FOLDERS = {"typer": "cli", "starlette": "server"}


def path(room: str) -> Path:
    return HOUSE.joinpath(*room.split(".")).with_suffix(".py")


def imports(room: str) -> set[str]:
    """Return every module that a room imports, wherever in it, with the names taken from it."""
    found = set()
    for node in ast.walk(ast.parse(path(room).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def rooms() -> set[str]:
    files = {file.relative_to(HOUSE) for file in HOUSE.rglob("*.py") if file.stem != "__init__"}
    return {".".join(file.with_suffix("").parts) for file in files}


def test_the_plan_shows_every_room() -> None:
    assert set(PLAN) == rooms()


@pytest.mark.parametrize("room", PLAN)
def test_a_room_imports_what_the_plan_says(room: str) -> None:
    ours = {name.removeprefix("embedcli.") for name in imports(room)} & PLAN.keys()
    assert ours == set(PLAN[room].split())


@pytest.mark.parametrize("room", PLAN)
def test_a_room_stands_below_those_that_import_it(room: str) -> None:
    above = list(PLAN)[: list(PLAN).index(room)]
    assert set(PLAN[room].split()) <= set(above)


@pytest.mark.parametrize("package", ONE_DOOR)
def test_a_heavy_package_has_one_door(package: str) -> None:
    users = {room for room in PLAN if package in {name.split(".")[0] for name in imports(room)}}
    assert users <= ONE_DOOR[package]


@pytest.mark.parametrize(("package", "folder"), FOLDERS.items())
def test_only_one_folder_knows_such_a_package(package: str, folder: str) -> None:
    users = {room for room in PLAN if package in {name.split(".")[0] for name in imports(room)}}
    assert {room.split(".")[0] for room in users} <= {folder}
