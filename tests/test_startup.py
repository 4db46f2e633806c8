"""What a command may load: watched by name, since a clock would be a poor witness here."""

import subprocess
import sys

import pytest

HEAVY = {"numpy", "onnxruntime", "tokenizers", "huggingface_hub", "rich", "starlette", "orjson"}


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that `embed` has loaded when it ends."""
    program = (
        "import os, sys\n"
        "def leave(code):\n"
        "    print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "    os.kill(os.getpid(), 9)\n"
        "os._exit = leave\n"
        f"sys.argv = ['embed', *{list(arguments)!r}]\n"
        "from embedcli.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    return set(done.stderr.decode().splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["text", "--help"], ["--version"], []])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert not loaded_by(*arguments) & HEAVY


def test_a_vector_needs_neither_the_hub_nor_rich_nor_a_web_server() -> None:
    loaded = loaded_by("text", "hello")
    assert {"numpy", "onnxruntime", "tokenizers"} <= loaded
    assert not loaded & {"huggingface_hub", "rich", "starlette", "uvicorn"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, embedcli; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not set(done.stdout.decode().split()) & HEAVY
