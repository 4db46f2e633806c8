"""README is run: its examples of the shell as typed, its Python as pasted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return every `$ ` line of a console block with the output shown under it."""
    found = []
    for block in blocks("console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            found.append((command, output.strip()))
    return found


def elided(output: str) -> str:
    """Return `output` with what differs from run to run as README shows it."""
    without_vectors = re.sub(r"\[-?\d[^\[\]]*\]", "[…]", output)
    without_times = re.sub(r'(_duration":)\d+', r"\1…", without_vectors)
    # The last digits of a score are the processor's own.
    return re.sub(r"(\d\.\d{3})\d{3}\b", r"\1", without_times).strip()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to run in, with `embed` on the path."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "bin").mkdir()
    command = folder / "bin" / "embed"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m embedcli "$@"\n')
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize(("command", "output"), examples())
def test_an_example_of_the_shell_prints_what_is_shown(
    folder: Path, command: str, output: str
) -> None:
    if "jq " in command and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode().strip()
    if "jq " in command:
        assert shown == output
    else:
        assert elided(shown) == elided(output)


@pytest.mark.parametrize("program", blocks("python"))
def test_an_example_in_python_runs(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_every_exit_code_is_explained() -> None:
    from embedcli.cli import main

    for code in (0, *main.EXIT_CODES.values(), main.BUG, main.INTERRUPTED):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE)


def test_every_figure_is_one_of_the_benchmarks() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")
    fast = README[README.index("## How it is fast") : README.index("## The house")]
    quantized = README[README.index("`all-minilm:int8` was made") : README.index("## Python")]
    tables = re.findall(r"(?:^\|.*\n)+", fast + quantized, re.MULTILINE)
    assert len(tables) == 7
    assert [table for table in tables if table not in results] == []
