"""Real text that every machine has: the docstrings of Python's standard library."""

import ast
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def paragraphs(number: int) -> list[str]:
    """Return `number` different paragraphs, the same every time; fewer where there are no more."""
    found: dict[str, None] = {}
    for paragraph in _paragraphs():
        if len(found) == number:
            break
        if len(paragraph) > 20:
            found[paragraph] = None
    return list(found)


def _paragraphs() -> Iterator[str]:
    files = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    random.Random(1).shuffle(files)  # short and long modules in turn, whatever is asked for
    for file in files:
        if {"site-packages", "test", "tests"} & set(file.parts):
            continue
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):  # files that are there to be wrong
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                    yield " ".join(paragraph.split())
