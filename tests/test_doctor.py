"""`embed doctor` on this machine, and on one where something is broken."""

import json
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import Finished, embed
from tests.hub import Hub, serve

SILENT = "http://127.0.0.1:9"  # the port of `discard`, where nobody listens


def findings(run: Finished) -> dict[str, tuple[str, str]]:
    rows = json.loads(run.out)["findings"]
    return {row["what"]: (row["state"], row["found"]) for row in rows}


def test_this_machine_is_well() -> None:
    run = embed("doctor", "--json", "--offline")
    found = findings(run)
    assert (run.code, run.err) == (0, "")
    assert found["device cpu"] == ("ok", "runs")
    vectors = [row for row in json.loads(run.out)["findings"] if row["what"] == "vectors"]
    assert [row["state"] for row in vectors] == ["ok", "ok"]
    assert vectors[1]["found"].startswith("all-minilm:int8 is within ")
    assert found["hub"] == ("ok", "not asked: the network is forbidden")


def test_every_library_that_is_needed_is_told_of() -> None:
    needed = [Requirement(line) for line in requires("embedcli") or ()]
    names = {needs.name for needs in needed if not needs.marker}
    assert names <= findings(embed("doctor", "--json", "--offline")).keys()


def test_a_hub_that_does_not_answer_is_no_breakage() -> None:
    run = embed("doctor", "--json", env={"HF_ENDPOINT": SILENT, "HF_HUB_OFFLINE": "0"})
    state, found = findings(run)["hub"]
    assert (run.code, state) == (0, "note")
    assert found.startswith(f"{SILENT} does not answer: ")


def test_a_hub_that_answers_whatever_it_is_reached() -> None:
    with serve(Hub(down=503)) as hub:
        run = embed("doctor", "--json", env={"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"})
    assert findings(run)["hub"] == ("ok", f"{hub.url} answers")


def test_a_device_that_takes_no_operator_is_not_said_to_run() -> None:
    found = findings(embed("doctor", "--json", "--offline"))
    devices = {what: state for what, (state, _) in found.items() if what.startswith("device")}
    assert devices.pop("device cpu") == "ok"
    assert set(devices.values()) <= {"note"}  # on a machine without a GPU


def test_the_sizes_of_both_caches_are_told(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "file").write_bytes(bytes(1500))
    (tmp_path / "hub" / "link").symlink_to("file")
    own = {"HF_HUB_CACHE": str(tmp_path / "hub"), "EMBED_CACHE": str(tmp_path / "own")}
    found = findings(embed("doctor", "--json", "--offline", env=own))
    assert found["models"] == ("ok", f"{tmp_path / 'hub'}: 1.5 KB")
    assert found["cache"] == ("ok", f"{tmp_path / 'own'}: 0 B")


def no_folders(tmp_path: Path) -> list[str]:
    """Return homes of the hub in which the system can find nothing, whoever asks."""
    (tmp_path / "file").write_text("no folder")
    return [str(tmp_path / "file"), str(tmp_path / ("x" * 300))]


def test_a_cache_that_cannot_be_read_is_worth_a_note(tmp_path: Path) -> None:
    for home in no_folders(tmp_path):
        run = embed("doctor", "--json", "--offline", env={"HF_HOME": home, "EMBED_CACHE": home})
        state, found = findings(run)["models"]
        assert (run.code, run.err, state) == (0, "", "note")
        assert found.startswith(f"cannot read the models in `{home}/hub`: ")


@pytest.mark.parametrize("command", [["list"], ["text", "a", "-m", "bge-small", "--offline"]])
def test_a_cache_that_cannot_be_read_is_named_with_the_way_out(
    tmp_path: Path, command: list[str]
) -> None:
    for home in no_folders(tmp_path):
        run = embed(*command, env={"HF_HOME": home})
        error, hint = run.err.splitlines()
        assert (run.code, hint) == (4, "hint: set HF_HUB_CACHE to a folder of yours")
        assert error.startswith(f"error: cannot read the models in `{home}/hub`: ")


def test_a_secret_in_the_environment_is_not_printed() -> None:
    run = embed("doctor", "--offline", env={"HF_TOKEN": "hf_secret"})
    assert "HF_TOKEN=…" in run.out.decode()
    assert "hf_secret" not in run.out.decode()


def test_a_library_that_cannot_be_loaded_is_broken(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libonnxruntime.so is missing')")
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"}
    run = embed("doctor", "--offline", env=path)
    last = run.out.decode().splitlines()[-1].split(maxsplit=2)
    assert last == ["engine", "BROKEN", "cannot be imported: libonnxruntime.so is missing"]
    assert (run.code, run.err) == (
        4,
        "error: this installation is broken: engine\n"
        "hint: install it anew: pip install --force-reinstall embedcli\n",
    )
