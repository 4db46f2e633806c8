"""TAB in real shells: each is asked for all that it would offer for a line."""

import os
import pty
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools import make_completions

FOLDER = make_completions.FOLDER
HOME, END, ALL = "\x01", "\x05", "\x1b*"  # keys: to the line's ends; bash's "insert all of them"
READY = "ready> "


def bash(line: str, folder: Path) -> list[str]:
    keys = f"{line}{ALL}{HOME}printf '%s\\n' {END} > offered\nexit\n"
    start = f"PS1='{READY}'; set +o history; . {FOLDER}/embed.bash"
    (folder / ".bashrc").write_text(start)
    return typed(["bash", "--rcfile", ".bashrc", "-i"], keys, folder)[before(line) :]


def zsh(line: str, folder: Path) -> list[str]:
    keys = f"{line}\t{HOME}print -rl -- {END} > offered\nexit\n"
    start = f"""
        fpath=({FOLDER} $fpath); autoload -Uz compinit; compinit -u -D; bindkey -e
        every() {{ compstate[insert]=all; }}; comppostfuncs=(every)
        zstyle ':completion:*' completer _complete
        unsetopt prompt_cr prompt_sp; PS1='{READY}'
    """
    (folder / ".zshrc").write_text(start)
    return typed(["zsh", "-i"], keys, folder)[before(line) :]


def fish(line: str, folder: Path) -> list[str]:
    ask = f"source {FOLDER}/embed.fish; complete -C '{line}'"
    command = ["fish", "--no-config", "-c", ask]
    done = subprocess.run(command, cwd=folder, env=surroundings(folder), capture_output=True)
    assert done.stderr == b""
    return [row.partition("\t")[0].rpartition("=")[2] for row in done.stdout.decode().splitlines()]


def before(line: str) -> int:
    """Return how many words stand before the one that is completed."""
    return len(line.rpartition(" ")[0].split())


def typed(command: list[str], keys: str, folder: Path) -> list[str]:
    """Type into a shell on a terminal of its own; return the words of the file `offered`."""
    ours, its = pty.openpty()
    shell = subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, cwd=folder, env=surroundings(folder)
    )
    os.close(its)
    seen = b""
    while READY.encode() not in seen:
        seen += os.read(ours, 4096)
    os.write(ours, keys.encode())
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the shell has left its terminal
            break
    os.close(ours)
    assert shell.wait() == 0, seen
    return [word.rpartition("=")[2] for word in (folder / "offered").read_text().split()]


def surroundings(folder: Path) -> Mapping[str, str]:
    ours = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return ours | {"HF_HUB_CACHE": str(folder / "hub"), "ZDOTDIR": str(folder)}


@pytest.fixture(
    params=[
        pytest.param(shell, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name}"))
        for name, shell in {"bash": bash, "zsh": zsh, "fish": fish}.items()
    ]
)
def offered(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], list[str]]:
    """What a shell offers for a line, in a folder with two files and a hub's cache."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "hub" / "models--org--notes--small").mkdir(parents=True)
    return lambda line: sorted(request.param(line, tmp_path))


@pytest.mark.parametrize("file", make_completions.SHELLS)
def test_a_file_holds_what_the_program_has(file: str) -> None:
    assert make_completions.difference(file) == ""


CASES = {
    "embed pul": ["pull"],
    "embed text --trun": ["--truncate"],
    "embed text -f ": ["json", "jsonl", "npy"],
    "embed text --format=js": ["json", "jsonl"],
    "embed file --dtype ": ["float16", "float32"],
    "embed file no": ["notes.txt"],
    "embed text -o no": ["notes.txt"],
    "embed file -m modernb": ["modernbert-embed", "modernbert-embed:q4", "modernbert-embed:q8"],
    "embed pull bge-m3:q": ["bge-m3:q8"],
    "embed show org": ["org/notes--small"],
    "embed cache i": ["info"],
    "embed similar --in no": ["notes.txt"],
    "embed rm ": ["org/notes--small"],
    "embed text -m nomic-embed-text --prompt cl": ["classification", "clustering"],
    "embed text --model=embeddinggemma:q4 --prompt que": ["query"],
}


@pytest.mark.parametrize("line", CASES)
def test_a_shell_offers_what_may_stand_there(
    offered: Callable[[str], list[str]], line: str
) -> None:
    assert offered(line) == CASES[line]
