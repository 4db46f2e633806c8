"""Models come from the hub whole and checked, or not at all, and every failure says what to do."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data

from embedcli.errors import OutputError
from embedcli.models import store
from embedcli.models.catalog import CATALOG
from embedcli.models.reference import parse
from tests.conftest import Finished, embed
from tests.hub import COMMIT, Hub, Repo, serve
from tests.server.conftest import serving

NAME = "org/colours"
GRAPH, WEIGHTS, ODD = "onnx/model.onnx", "onnx/model.onnx_data", "onnx/Constant_7_attr__value"


@pytest.fixture(scope="session")
def files(colours: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The model `colours` as a repo: its weights in two files beside the graph, and much more."""
    folder = tmp_path_factory.mktemp("repo")
    model = onnx.load(colours / "model.onnx")
    table = onnx.numpy_helper.to_array(model.graph.initializer[0])
    big = np.vstack([table, np.zeros((4000, 3), np.float32)])
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(big, "table"))
    unused = onnx.numpy_helper.from_array(np.zeros((400, 3), np.float32), "odd")
    model.graph.initializer.append(unused)
    model.graph.node.append(onnx.helper.make_node("Identity", ["odd"], ["nothing"]))
    convert_model_to_external_data(model, location="model.onnx_data", size_threshold=0)
    for entry in model.graph.initializer[1].external_data:
        if entry.key == "location":
            entry.value = "Constant_7_attr__value"
    onnx.save(model, folder / "model.onnx")
    return {
        "README.md": b"# colours",
        "model.safetensors": bytes(1_000_000),
        "config.json": b'{"model_type": "bert", "max_position_embeddings": 8}',
        "tokenizer.json": (colours / "tokenizer.json").read_bytes(),
        "modules.json": json.dumps(
            [
                {"path": "", "type": "sentence_transformers.models.Transformer"},
                {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            ]
        ).encode(),
        "1_Pooling/config.json": b'{"pooling_mode_cls_token": true}',
        GRAPH: (folder / "model.onnx").read_bytes(),
        WEIGHTS: (folder / "model.onnx_data").read_bytes(),
        ODD: (folder / "Constant_7_attr__value").read_bytes(),
        "onnx/model_q4.onnx": bytes(100_000),
    }


@dataclass
class Machine:
    """A machine with an empty cache, and a hub that it takes for the real one."""

    hub: Hub
    home: Path

    @property
    def repo(self) -> Repo:
        return self.hub.repos[NAME]

    def embed(self, *arguments: str, **env: str) -> Finished:
        return embed(*arguments, env=self.env(**env))

    def env(self, **more: str) -> dict[str, str]:
        own = {"HF_HOME": str(self.home / "hf"), "EMBED_CACHE": str(self.home / "embed")}
        return {**own, "HF_ENDPOINT": self.hub.url, "HF_HUB_DISABLE_XET": "1", **more}

    def kept(self) -> set[str]:
        snapshot = self.home / "hf" / "hub" / "models--org--colours" / "snapshots" / COMMIT
        return {str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if not p.is_dir()}


@pytest.fixture
def machine(files: dict[str, bytes], tmp_path: Path) -> Iterator[Machine]:
    with serve(Hub({NAME: Repo(files)})) as hub:
        yield Machine(hub, tmp_path)


NEEDED = {
    "config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json", GRAPH, WEIGHTS, ODD,
}  # fmt: skip


def test_a_first_use_fetches_what_is_needed_and_says_so_before(machine: Machine) -> None:
    run = machine.embed("text", "-m", NAME, "red")
    assert (run.code, json.loads(run.out)["embedding"]) == (0, [0.57735026] * 3)
    assert run.err.splitlines() == [
        "fetching org/colours: 50.2 KB from org/colours (onnx/model.onnx)",
        "fetching org/colours: 4.8 KB from org/colours (onnx/model.onnx)",  # as the graph tells
    ]
    assert machine.kept() == NEEDED
    assert sorted(machine.hub.sent()) == sorted(NEEDED)


def test_a_server_that_pulls_tells_how_far_it_has_come(machine: Machine) -> None:
    with serving(env=machine.env()) as server:
        connection = http.client.HTTPConnection(server.host, server.port)
        connection.request("POST", "/api/pull", json.dumps({"model": NAME}))
        steps = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        connection.close()
    assert steps[-1] == {"status": "success"}
    sizes = {name: len(machine.repo.files[name]) for name in NEEDED}
    totals = {step["total"] for step in steps if "total" in step}
    assert totals == {sum(sizes.values()) - sizes[ODD], sizes[ODD]}


def test_a_model_that_is_here_asks_nobody(machine: Machine) -> None:
    machine.embed("pull", NAME)
    machine.hub.asked.clear()
    machine.hub.down = 503
    here = machine.embed("text", "-m", NAME, "red")
    offline = machine.embed("text", "-m", NAME, "red", "--offline")
    assert (here.code, here.err, here.out) == (0, "", offline.out)
    assert machine.hub.asked == []


def test_a_second_pull_fetches_nothing_and_a_pinned_one_asks_nobody(machine: Machine) -> None:
    assert machine.embed("pull", f"{NAME}@{COMMIT}").code == 0
    machine.hub.asked.clear()
    run = machine.embed("pull", f"{NAME}@{COMMIT}")
    assert run.err == f"{NAME}@{COMMIT} is on this machine\n"
    assert machine.hub.asked == []
    assert machine.embed("pull", NAME).err == "org/colours is on this machine\n"
    assert machine.hub.sent() == []


def test_a_cut_connection_is_taken_up_where_it_broke(machine: Machine) -> None:
    machine.hub.cut[WEIGHTS] = 2
    assert machine.embed("pull", NAME).code == 0
    size = len(machine.repo.files[WEIGHTS])
    asked = [asked for _, path, asked in machine.hub.asked if WEIGHTS in path]
    assert asked == ["", f"bytes={size // 2}-", f"bytes={size // 2 + size // 4}-"]


def test_a_pull_that_broke_off_for_good_continues_the_next_time(machine: Machine) -> None:
    machine.hub.cut[WEIGHTS], machine.hub.fail = 1, {WEIGHTS}
    run = machine.embed("pull", NAME)
    assert (run.code, run.err.splitlines()[1:]) == (5, [
        f"error: cannot fetch `org/colours` from {machine.hub.url}: it answers 500",
        "hint: run it again: what has arrived is kept, and it continues from there",
    ])  # fmt: skip
    machine.hub.fail.clear()
    machine.hub.asked.clear()
    assert machine.embed("pull", NAME).code == 0
    assert [asked for _, path, asked in machine.hub.asked if WEIGHTS in path] == ["bytes=24042-"]


def test_a_file_with_the_wrong_hash_is_not_kept(machine: Machine) -> None:
    machine.repo.broken[WEIGHTS] = bytes(len(machine.repo.files[WEIGHTS]))
    run = machine.embed("pull", NAME)
    assert run.code == 4
    assert "error: `onnx/model.onnx_data` arrived damaged" in run.err
    assert WEIGHTS not in machine.kept()
    machine.repo.broken.clear()
    assert machine.embed("pull", NAME).code == 0


def test_a_slow_hub_is_waited_for(machine: Machine) -> None:
    machine.hub.hold = Event()
    arguments = [sys.executable, "-m", "embedcli", "pull", NAME]
    env = {**os.environ, **machine.env()}
    with subprocess.Popen(arguments, env=env, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"fetching org/colours")
        machine.hub.hold.set()
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("org/none", [
            "error: model 'org/none' not found: the hub has no repo `org/none`",
            "hint: check the name; a private repo needs HF_TOKEN",
        ]),
        ("org/colours@v9", [
            "error: model 'org/colours@v9' not found: `org/colours` has no revision `v9`",
            "hint: its commits are at {hub}/org/colours/commits/main",
        ]),
    ],
)  # fmt: skip
def test_what_the_hub_does_not_have_is_named(machine: Machine, typed: str, said: list[str]) -> None:
    run = machine.embed("text", "-m", typed, "x")
    assert (run.code, run.out) == (4, b"")
    assert run.err.splitlines() == [line.format(hub=machine.hub.url) for line in said]


def test_a_gated_repo_names_the_page_and_the_token(machine: Machine) -> None:
    machine.repo.gated = True
    run = machine.embed("pull", NAME, "-q")
    assert (run.code, run.err.splitlines()) == (4, [
        "error: `org/colours` is gated: its owner wants terms to be accepted first",
        f"hint: accept them at {machine.hub.url}/org/colours, "
        "then set HF_TOKEN or run `hf auth login`",
    ])  # fmt: skip


def test_a_repo_without_a_graph_says_so(machine: Machine) -> None:
    machine.hub.repos["org/torch"] = Repo({"config.json": b"{}", "model.safetensors": b""})
    run = machine.embed("pull", "org/torch")
    assert run.code == 4
    assert run.err.startswith("error: the model in `org/torch` has no ONNX file\nhint: look")


def test_a_graph_that_is_not_there_names_those_that_are(machine: Machine) -> None:
    run = machine.embed("pull", NAME, "--onnx-file", "onnx/model_q8.onnx")
    assert (run.code, run.err.splitlines()) == (4, [
        "error: the model in `org/colours` has no file `onnx/model_q8.onnx`",
        "hint: choose with --onnx-file: it has onnx/model.onnx, onnx/model_q4.onnx",
    ])  # fmt: skip


def test_no_hub_is_a_network_error(machine: Machine) -> None:
    machine.hub.down = 503
    busy = machine.embed("pull", NAME)
    assert (busy.code, "it answers 503" in busy.err) == (5, True)
    nobody = machine.embed("pull", NAME, HF_ENDPOINT="http://127.0.0.1:9")
    assert (nobody.code, "127.0.0.1:9" in nobody.err) == (5, True)


@pytest.mark.parametrize("how", ["--offline", "HF_HUB_OFFLINE"])
def test_offline_never_asks_the_hub(machine: Machine, how: str) -> None:
    option, env = ([how], {}) if how == "--offline" else ([], {how: "1"})
    run = machine.embed("text", "-m", NAME, "x", *option, **env)
    assert (run.code, run.err.splitlines()) == (5, [
        "error: the model `org/colours` is not on this machine, and the network is forbidden",
        "hint: where it is allowed, run: embed pull org/colours",
    ])  # fmt: skip
    assert machine.hub.asked == []


def test_a_graph_that_was_not_pulled_is_not_here_with_its_repo(
    machine: Machine, files: dict[str, bytes]
) -> None:
    row = CATALOG["bge-small"]["latest"]
    machine.hub.repos[row.repo] = Repo(files, commit=row.revision)
    assert machine.embed("pull", "bge-small").code == 0
    run = machine.embed("text", "-m", "bge-small:q8", "x", "--offline")
    assert (run.code, run.err.splitlines()) == (5, [
        "error: the model `bge-small:q8` is not on this machine, and the network is forbidden",
        "hint: where it is allowed, run: embed pull bge-small:q8",
    ])  # fmt: skip
    shown = machine.embed("show", "bge-small:q8")
    assert (shown.code, shown.err.splitlines()[1]) == (4, "hint: embed pull bge-small:q8")
    assert machine.embed("text", "-m", "bge-small", "x", "--offline").code == 0


def test_a_graph_may_not_ask_for_weights_outside_its_repo(machine: Machine) -> None:
    files = machine.repo.files
    for name in (b"../../../../secret_file", b"not_in_this_repository"):
        graph = files[GRAPH].replace(b"Constant_7_attr__value", name[:22].ljust(22, b"_"))
        machine.hub.repos["org/evil"] = Repo({**files, GRAPH: graph})
        run = machine.embed("pull", "org/evil", HF_HOME=str(machine.home / name.decode()[-5:]))
        assert run.code == 4
        assert "is not safe" in run.err or "wants the file" in run.err


@pytest.mark.parametrize(
    "described",
    [
        {"sha": "../../../../out"},
        {"sha": None},
        {"siblings": [{"rfilename": GRAPH, "size": 4, "blobId": "../../../../../out"}]},
        {"siblings": [{"rfilename": GRAPH, "size": 4, "blobId": "0" * 39}]},
        {"siblings": [{"rfilename": GRAPH, "size": 4}]},
        {"siblings": [{"rfilename": GRAPH, "lfs": {"sha256": "/o", "size": 4, "pointerSize": 9}}]},
        {"siblings": [{"rfilename": GRAPH, "lfs": "/o"}]},
    ],
)
def test_a_mirror_cannot_name_a_place_outside_the_cache(
    machine: Machine, described: dict[str, object]
) -> None:
    machine.repo.described = described
    run = machine.embed("pull", NAME)
    assert (run.code, run.err.splitlines()) == (5, [
        f"error: cannot fetch `org/colours` from {machine.hub.url}: its answer makes no sense",
        "hint: HF_ENDPOINT may name a mirror that does not answer as the hub does",
    ])  # fmt: skip
    assert list(machine.home.iterdir()) == []


def test_what_another_program_left_half_is_fetched_whole(machine: Machine) -> None:
    machine.embed("pull", NAME)
    (machine.home / "embed" / "models" / "models--org--colours" / f"{COMMIT}.json").unlink()
    snapshot = machine.home / "hf/hub/models--org--colours/snapshots" / COMMIT
    whole = machine.embed("text", "-m", NAME, "red")
    assert (whole.code, whole.err) == (0, "")
    (snapshot / "modules.json").unlink()
    (snapshot / "1_Pooling" / "config.json").unlink()
    again = machine.embed("text", "-m", NAME, "red")
    assert (again.out, machine.kept()) == (whole.out, NEEDED)


def test_a_cache_that_cannot_be_written_is_told_in_a_line(machine: Machine) -> None:
    refs = machine.home / "hf/hub/models--org--colours/refs"
    refs.parent.mkdir(parents=True)
    refs.touch()
    run = machine.embed("pull", NAME, "-q")
    assert (run.code, run.err) == (6, f"error: cannot write `{refs}`: File exists\n")


def test_list_show_and_rm_tell_what_is_here(machine: Machine) -> None:
    machine.embed("text", "-m", NAME, "red")
    rows = [json.loads(line) for line in machine.embed("list", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == ["all-minilm", "all-minilm:int8", NAME]
    assert (rows[2]["dimensions"], rows[2]["revision"]) == (3, COMMIT)
    assert rows[2]["last_used"] is not None
    shown = json.loads(machine.embed("show", NAME, "--json").out)
    assert shown["facts"]["pooling"] == {"value": ["cls"], "source": "1_Pooling/config.json"}
    assert set(shown["sha256"]) == {GRAPH, WEIGHTS, ODD, "tokenizer.json"}


def test_rm_frees_a_repo_once_and_never_without_an_answer(machine: Machine) -> None:
    machine.embed("pull", NAME)
    unasked = machine.embed("rm", NAME)
    assert (unasked.code, unasked.err.splitlines()[1]) == (2, "hint: add -y")
    gone = machine.embed("rm", NAME, "-y")
    assert gone.code == 0
    assert gone.err.startswith("removed org/colours: ")
    assert list((machine.home / "hf" / "hub").glob("*colours*")) == []
    again = machine.embed("rm", NAME, "-y")
    assert (again.code, again.err) == (
        4, "error: model 'org/colours' not found: it is not on this machine\n",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["all-minilm", "./m"])
def test_rm_removes_nothing_that_is_not_the_hub_s(machine: Machine, name: str) -> None:
    run = machine.embed("rm", name, "-y")
    assert (run.code, "only models of the hub" in run.err) == (2, True)


def test_a_full_disk_is_found_out_before_anything_is_fetched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(machine.home))
    sizes = {name: store.File(name, 10**18, "") for name in (GRAPH, "tokenizer.json")}
    plan = store.Plan(parse(NAME), COMMIT, GRAPH, sizes, tuple(sizes))
    with pytest.raises(OutputError, match="the disk has no room for `org/colours`"):
        store.fetch(plan)
    assert machine.hub.asked == []


def test_weights_that_no_name_gives_away_need_room_too(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.embed("pull", NAME).code == 0
    machine.hub.asked.clear()
    monkeypatch.setenv("HF_HOME", str(machine.home / "hf"))
    sizes = {name: store.File(name, 10**18, "0" * 40) for name in NEEDED}
    plan = store.Plan(parse(NAME), COMMIT, GRAPH, sizes, tuple(NEEDED - {ODD}))
    (plan.folder / ODD).unlink()
    with pytest.raises(OutputError, match="the disk has no room for `org/colours`"):
        store.fetch(plan)
    assert machine.hub.asked == []
