"""Which reader an input gets, by its name or as asked for, and several inputs in a row."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from embedcli.errors import UsageError
from embedcli.formats import fields, sources
from embedcli.formats.fields import Selection
from embedcli.formats.record import TEXT, Record, Reject
from embedcli.formats.sources import COMPRESSIONS, Source

LINES, JSONL, CSV, TSV, PARQUET = FORMATS = ("lines", "jsonl", "csv", "tsv", "parquet")
_ENDINGS = {
    ".jsonl": JSONL, ".ndjson": JSONL, ".json": JSONL,
    ".csv": CSV,
    ".tsv": TSV, ".tab": TSV,
    ".parquet": PARQUET, ".pq": PARQUET,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """How inputs are read."""

    form: str | None = None  # FORMAT[.COMPRESSION] in place of what the names say
    field: str | None = None
    template: str | None = None
    whole: bool = False  # each file is one text
    nul: bool = False  # texts end with NUL, not with the line

    def selection(self) -> Selection:
        """Return which text of a record is embedded.

        Raises:
            UsageError: a field and a template are named, or the template cannot be understood.
        """
        if self.template is None:
            return fields.field(TEXT if self.field is None else self.field)
        if self.field is not None:
            raise UsageError("--field and --template cannot go together: both say what to embed")
        return fields.template(self.template)


def read(names: Sequence[str], reading: Reading) -> Iterator[Record | Reject]:
    """Yield the records of the inputs, one input after another; `position` counts them all.

    Raises:
        InputError: an input cannot be read.
        UsageError: `reading` cannot be.
    """
    selection = reading.selection()
    before = 0
    for name in names:
        form, compression = kind_of(name, reading)
        with sources.opened(name, compression) as source:
            for record in _reader(source, form, reading, selection):
                yield _moved(record, before) if before else record
            before += source.size or 0


def size_of(names: Sequence[str]) -> int | None:
    """Return the bytes of all inputs on disk; None where one is no file.

    Raises:
        InputError: one is not there.
    """
    total = 0
    for name in names:
        if name == "-":
            return None
        with sources.reading(name):
            if not Path(name).is_file():
                os.stat(name)  # noqa: PTH116  # raises for what is not there
                return None
            total += Path(name).stat().st_size
    return total


def kind_of(name: str, reading: Reading) -> tuple[str, str | None]:
    """Return the format and the compression of the input `name`.

    Raises:
        UsageError: `--input-format` names none that there is, or one that does not go with what
            else is asked for.
    """
    ending, compression = sources.endings(name)
    form = LINES if reading.whole or reading.nul else _ENDINGS.get(ending, LINES)
    if reading.form is not None:
        asked, dot, packed = reading.form.lower().partition(".")
        if asked not in FORMATS or (dot and packed not in COMPRESSIONS):
            raise UsageError(
                f"`--input-format {reading.form}` is none of {', '.join(FORMATS)}",
                hint=f"a compression may follow: jsonl.gz ({', '.join(COMPRESSIONS)})",
            )
        form, compression = asked, packed or compression
    _refuse_clashes(name, form, reading)
    return form, compression


def _refuse_clashes(name: str, form: str, reading: Reading) -> None:
    if reading.whole and reading.nul:
        raise UsageError("--whole and --null cannot go together: both say where a text ends")
    if form != LINES and (reading.whole or reading.nul):
        flag = "--whole" if reading.whole else "--null"
        raise UsageError(f"{flag} reads plain text, not `--input-format {reading.form}`")
    if form == LINES and (reading.field is not None or reading.template is not None):
        raise UsageError(
            f"`{name}` holds plain text, which has no fields",
            hint="name another --input-format, or put words before each text with --prefix",
        )


def _reader(
    source: Source, form: str, reading: Reading, selection: Selection
) -> Iterator[Record | Reject]:
    # Each reader's libraries are imported only where it is used: pyarrow takes 0.2 s.
    if reading.whole:
        from embedcli.formats import whole

        return whole.read(source)
    if form == LINES:
        from embedcli.formats import lines

        return lines.read(source, nul=reading.nul)
    if form == JSONL:
        from embedcli.formats import jsonl

        return jsonl.read(source, selection)
    if form == PARQUET:
        from embedcli.formats import parquet

        return parquet.read(source, selection)
    from embedcli.formats import csv

    return csv.read(source, selection, tabs=form == TSV)


def _moved(record: Record | Reject, by: int) -> Record | Reject:
    return replace(record, position=record.position + by)
