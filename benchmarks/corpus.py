"""Real text that every machine has: the docstrings of Python's standard library."""

import ast
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path


def paragraphs(number: int) -> list[str]:
    """Return `number` different paragraphs, in an order that is the same every time."""
    found = sorted({text for text in _paragraphs() if len(text) > 20})
    return random.Random(1).sample(found, min(number, len(found)))


def _paragraphs() -> Iterator[str]:
    for file in Path(sysconfig.get_path("stdlib")).rglob("*.py"):
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
