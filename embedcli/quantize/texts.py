"""Texts to calibrate on: the caller's, or those that every machine with Python has."""

import ast
import random
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedcli.errors import InputError

_SEED = 7
_LEAST = 20  # texts; fewer say nothing of a model
_EDGES = 60
# The first of some letters in a row: Latin, Greek, Cyrillic, Hebrew, Arabic, Devanagari, Thai,
# kana, Chinese, Hangul, and signs: arrows, mathematics, faces.
_SCRIPTS = (
    0xDF, 0x3B1, 0x430, 0x5D0, 0x628, 0x905, 0xE01, 0x3042, 0x4E00, 0xAC00, 0x2190, 0x2200, 0x1F600,
)  # fmt: skip
_SHORTEST = 20  # characters of a paragraph


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts in two parts: one to choose by, and one, held out, to judge by."""

    calibration: tuple[str, ...]
    held_out: tuple[str, ...]
    source: str  # for the report


def divided(texts: Sequence[str], *, source: str, calibration: int, held_out: int) -> Texts:
    """Shuffle `texts`, always alike, and cut them into parts of at most the sizes given.

    Raises:
        InputError: there are too few.
    """
    found = sorted(set(texts))
    random.Random(_SEED).shuffle(found)
    if len(found) < _LEAST:
        raise InputError(
            f"{len(found)} different texts are too few to calibrate on: the least is {_LEAST}",
            hint="give some hundreds of the kind that the model will see",
        )
    judges = min(held_out, len(found) // 4)
    chosen = found[judges:][:calibration]
    return Texts((*chosen, *_edges(chosen)), tuple(found[:judges]), source)


def _edges(texts: Sequence[str]) -> Iterator[str]:
    """Yield what prose does not have, and people do: no text, a word or three, many of the same.

    In texts of a few tokens all attention falls on these few, and some channels go further than in
    any long text: without them in the calibration, a model has seen too little.
    """
    yield ""
    for at, text in enumerate(texts[: 4 * _EDGES]):
        words = text.split() or [""]
        yield " ".join(words[: at % 4]) if at % 4 else f"{words[0]} " * (at % 200 + 4)
    for first in _SCRIPTS:
        letters = [chr(first + at) for at in range(24)]
        yield "".join(letters)
        yield " ".join(letters[:3])


def built_in() -> list[str]:
    """Return the paragraphs of the standard library's docstrings, each once, sorted.

    English prose about many things, with names, lists and code in between. Some 15,000 of them;
    which ones depends on the version of Python.

    Raises:
        InputError: this Python came without its sources.
    """
    root = Path(sysconfig.get_path("stdlib"))
    folders = {"site-packages", "dist-packages", "test", "tests", "idlelib"}
    files = [file for file in root.rglob("*.py") if not folders & set(file.parts)]
    found = sorted({text for file in sorted(files) for text in _paragraphs(file)})
    if not found:
        raise InputError(
            "this Python has no sources, whose docstrings are the built-in sample",
            hint="give texts of your own with --calibrate FILE",
        )
    return found


def _paragraphs(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                text = " ".join(paragraph.split())
                if len(text) > _SHORTEST:
                    yield text
