"""What was pulled from here: which files each repo has, and which of them a graph needs.

The hub's cache cannot tell a file that a repo lacks from one that nobody fetched, and the pooling
hangs on that. A receipt is JSON: {"names": [...], "graphs": {"onnx/model.onnx": [...]}}.
"""

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of one commit of a repo; empty where nothing was pulled from here."""

    names: tuple[str, ...] = ()  # all files of the repo
    graphs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # and what each needs


def read(folder: Path, commit: str) -> Receipt:
    """Return the receipt of a commit; one that is missing or damaged is an empty one."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        said = json.loads((folder / f"{commit}.json").read_text("utf-8"))
        graphs = {str(graph): tuple(map(str, files)) for graph, files in said["graphs"].items()}
        return Receipt(tuple(map(str, said["names"])), graphs)
    return Receipt()


def add(
    folder: Path, commit: str, names: Collection[str], graph: str, files: Collection[str]
) -> None:
    """Note that `graph` was pulled, with all the `files` it needs.

    Where that cannot be written it is left: the files are there, and speak for themselves.
    """
    graphs = {**read(folder, commit).graphs, graph: sorted(files)}
    part = folder / f"{commit}.{os.getpid()}.part"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"names": sorted(names), "graphs": graphs}), "utf-8")
        part.replace(folder / f"{commit}.json")
