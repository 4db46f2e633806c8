"""How matches are shown: as a table to a person, as JSON Lines or TSV to a program."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from rich.console import RenderableType

    from embedcli.candidates import Candidate
    from embedcli.comparison import Match
    from embedcli.similar import Scores

_DIGITS = 6  # of a score; a float32 vector carries no more
_BAR = 10  # characters
_SHADES = ("#1b1f3b", "#23395b", "#2f6690", "#3a9188", "#7fb069", "#e6aa38", "#ee6c4d")


class Format(StrEnum):
    """How scores are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    TSV = "tsv"


def write_matches(file: BinaryIO, form: Format, matches: Sequence["Match"]) -> None:
    """Write the best candidates, best first."""
    if form is Format.TABLE:
        _print(file, _table(matches))
    elif form is Format.TSV:
        _write_cells(file, [[_score(m.score), *_cells(m.candidate)] for m in matches])
    else:
        _write_objects(file, [_fields(m.candidate, m.score) for m in matches])


def write_score(file: BinaryIO, score: float) -> None:
    """Write a lone score, for a person who compared two texts."""
    file.write(f"{score:.4f}\n".encode())


def write_matrix(
    file: BinaryIO, form: Format, candidates: Sequence["Candidate"], scores: "Scores"
) -> None:
    """Write each score with each."""
    rows = [[round(float(score), _DIGITS) for score in row] for row in scores]
    if form is Format.TABLE:
        _print(file, _heat_map(candidates, rows))
    elif form is Format.TSV:
        heads = [_flat(_label(candidate)) for candidate in candidates]
        lines = [[head, *map(_score, row)] for head, row in zip(heads, rows, strict=True)]
        _write_cells(file, [["", *heads], *lines])
    else:
        labels = [_label(candidate) for candidate in candidates]
        _write_objects(file, [{"texts": labels, "scores": rows}])


def write_groups(file: BinaryIO, form: Format, groups: Sequence[Sequence["Candidate"]]) -> None:
    """Write groups of near-duplicates: one a line for JSON, one member a line otherwise."""
    if form is Format.JSONL:
        _write_objects(file, [{"group": [_fields(one) for one in group]} for group in groups])
        return
    rows = [[str(number), *_cells(one)] for number, group in enumerate(groups, 1) for one in group]
    if form is Format.TSV:
        _write_cells(file, rows)
    else:
        from rich import box
        from rich.table import Table

        table = Table("group", "text", "where", box=box.SIMPLE_HEAD)
        for number, text, source, line in rows:
            table.add_row(number, text, f"{source}:{line}")
        _print(file, table)


def _fields(candidate: "Candidate", score: float | None = None) -> dict[str, object]:
    """Return what is said of a candidate, then those of the caller's fields named otherwise."""
    ours = {
        "score": None if score is None else round(score, _DIGITS),
        "text": candidate.text,
        "source": candidate.source,
        "line": candidate.line,
    }
    said = {name: value for name, value in ours.items() if value is not None}
    return said | {name: value for name, value in candidate.fields.items() if name not in said}


def _cells(candidate: "Candidate") -> list[str]:
    return [_flat(candidate.text or ""), candidate.source, str(candidate.line)]


def _label(candidate: "Candidate") -> str:
    return f"{candidate.source}:{candidate.line}" if candidate.text is None else candidate.text


def _flat(text: str) -> str:
    """Return `text` on one line, without the sign that parts two cells."""
    return " ".join(text.split())


def _score(score: float) -> str:
    return f"{score:.{_DIGITS}f}"


def _write_objects(file: BinaryIO, rows: Iterable[dict[str, object]]) -> None:
    for row in rows:
        file.write(json.dumps(row, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")


def _write_cells(file: BinaryIO, rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        file.write("\t".join(row).encode(errors="surrogateescape") + b"\n")


def _table(matches: Sequence["Match"]) -> "RenderableType":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", justify="right", style="dim")
    table.add_column("score", justify="right")
    table.add_column("", style="cyan", no_wrap=True)
    table.add_column("where", style="dim", overflow="fold")
    table.add_column("text", ratio=1, no_wrap=True, overflow="ellipsis")
    for rank, match in enumerate(matches, 1):
        bar = "█" * round(_BAR * min(1.0, max(0.0, match.score)))
        where = f"{match.candidate.source}:{match.candidate.line}"
        table.add_row(
            str(rank), f"{match.score:.4f}", bar, where, _flat(match.candidate.text or "")
        )
    return table


def _heat_map(
    candidates: Sequence["Candidate"], rows: Sequence[Sequence[float]]
) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for number in range(1, len(rows) + 1):
        table.add_column(str(number), justify="center", no_wrap=True)
    for number, (candidate, row) in enumerate(zip(candidates, rows, strict=True), 1):
        cells = [Text(f" {score:.2f} ", style=f"white on {_shade(score)}") for score in row]
        table.add_row(f"{number} {_flat(_label(candidate))}", *cells)
    return table


def _shade(score: float) -> str:
    return _SHADES[round(min(1.0, max(0.0, score)) * (len(_SHADES) - 1))]


def _print(file: BinaryIO, shown: "RenderableType") -> None:
    """Print as the terminal has it: in its width and, unless it says otherwise, in colour."""
    from rich.console import Console

    # What is shown is the caller's own text, whatever Rich would make of its brackets.
    console = Console(
        file=sys.stdout,
        width=shutil.get_terminal_size().columns,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        console.print(shown)
    file.write(captured.get().encode(errors="surrogateescape"))
