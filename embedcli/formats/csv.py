"""CSV and TSV in the standard library's dialects `excel` and `excel-tab`; the first row names.

A cell may span lines where it is quoted. Lines without anything on them are no records.
"""

import csv
from collections.abc import Iterator

import orjson

from embedcli.errors import InputError
from embedcli.formats.fields import MISSING, Selection, find
from embedcli.formats.record import Record, Reject
from embedcli.formats.sources import LONGEST, Source, pieces


def read(source: Source, selection: Selection, *, tabs: bool = False) -> Iterator[Record | Reject]:
    """Yield the rows of `source` under its header, with the text that `selection` finds in each.

    Raises:
        InputError: the header cannot be read, or has no such column.
    """
    rows = _Rows(source, tabs=tabs)
    header: list[str] | None = None
    for line, cells in rows:
        if header is None:
            header = _header(source, line, cells, selection)
        elif isinstance(cells, list):
            yield _record(rows, line, header, cells, selection)
        else:
            yield rows.reject(line, cells)


class _Rows:
    """The rows of a file, each with its first line; a row that cannot be read is a reason."""

    def __init__(self, source: Source, *, tabs: bool) -> None:
        # The standard library's own limit is global, and too low for a long text.
        csv.field_size_limit(LONGEST)
        self.source = source
        self._kind = "TSV" if tabs else "CSV"
        self.position = 0
        self.lines: list[bytes] = []  # of the row being read
        self._cells = csv.reader(self._text(), "excel-tab" if tabs else "excel", strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str] | str]]:
        while True:
            line = self._cells.line_num + 1
            self.lines.clear()
            try:
                cells: list[str] | str = next(self._cells)
            except StopIteration:
                return
            except csv.Error as error:
                cells = f"not {self._kind}: {error}"
            if cells:
                yield line, cells

    def reject(self, line: int, reason: str) -> Reject:
        """Return the row that was read last, as one that cannot be."""
        return Reject(self.source.name, line, self.position, reason, b"\n".join(self.lines))

    def _text(self) -> Iterator[str]:
        for piece, position in pieces(self.source):
            self.position = position
            self.lines.append(piece)
            # Bad bytes are let through here and found in their cell: the row's shape stays whole.
            yield piece.decode("utf-8", "surrogateescape") + "\n"


def _header(source: Source, line: int, cells: list[str] | str, selection: Selection) -> list[str]:
    place = f"{source.name}:{line}"
    if isinstance(cells, str):
        raise InputError(f"{place}: the header is {cells}")
    if len(set(cells)) < len(cells):
        twice = next(cell for cell in cells if cells.count(cell) > 1)
        raise InputError(f"{place}: the header has the column `{twice}` twice")
    if not _is_utf8(cells):
        raise InputError(f"{place}: the header is not UTF-8")
    for name in selection.names:
        if find(dict.fromkeys(cells, ""), name) is MISSING:
            known = ", ".join(f"`{cell}`" for cell in cells)
            raise InputError(
                f"{place}: there is no column `{name}`, of the columns {known}",
                hint="name the one to embed with --field",
            )
    return cells


def _record(
    rows: _Rows, line: int, header: list[str], cells: list[str], selection: Selection
) -> Record | Reject:
    if len(cells) != len(header):
        return rows.reject(line, f"{len(cells)} cells, but the header has {len(header)}")
    if not _is_utf8(cells):
        return rows.reject(line, "not UTF-8")
    fields = dict(zip(header, cells, strict=True))
    return Record(
        selection.text(fields),
        rows.source.name,
        line,
        rows.position,
        orjson.dumps(fields),
        tuple(header),
    )


def _is_utf8(cells: list[str]) -> bool:
    try:
        "".join(cells).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
