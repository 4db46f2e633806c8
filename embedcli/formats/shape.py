"""What an output record holds: the caller's fields, less what is left out, and what is added."""

from dataclasses import dataclass

import orjson

from embedcli.errors import InputError
from embedcli.formats import objects
from embedcli.formats.fields import Selection
from embedcli.formats.record import TEXT, Record, Row, Window
from embedcli.records import Embedded

RECEIPTS = ("tokens", "truncated", "embedding")
WINDOW = ("chunk", "start", "end")


@dataclass(frozen=True, slots=True)
class Shape:
    """The choices that make an output record of an input record."""

    selection: Selection
    text: bool = True  # keep the text
    replace: bool = False  # fields of the caller's with the names of ours give way
    windows: bool = False  # texts are cut into windows, and a row holds its window's text

    @property
    def home(self) -> str | None:
        """The caller's field that a window's text takes the place of, if there is just one."""
        return None if self.selection.template else self.selection.names[0]

    @property
    def added(self) -> tuple[str, ...]:
        """The fields that are ours, in their order."""
        text = (TEXT,) if self.windows and self.text and self.home is None else ()
        return text + (WINDOW if self.windows else ()) + RECEIPTS

    def dropped(self, record: Record) -> tuple[str, ...]:
        """Return the caller's fields that are left out.

        Raises:
            InputError: a field has the name of one of ours, and may not be replaced.
        """
        clash = [name for name in record.names if name in self.added]
        if clash and not self.replace:
            raise InputError(
                f"{record.source}:{record.line}: there is a field `{clash[0]}` already",
                hint="let it be overwritten with --replace",
            )
        return (*clash, *(() if self.text else self.selection.names))

    def around(self, record: Record) -> tuple[bytes, bytes]:
        """Return the caller's fields as JSON, open where a window's text goes in.

        Raises:
            InputError: a field has the name of one of ours, and may not be replaced.
        """
        raw = record.json
        for name in self.dropped(record):
            raw = objects.without(raw, name)
        if not self.moves_text:
            return raw, b""
        return objects.extended(raw, TEXT) if self.home is None else objects.around(raw, self.home)

    @property
    def moves_text(self) -> bool:
        """Whether a row holds the text of its window."""
        return self.windows and self.text


class Members:
    """Rows as JSON objects, still open for the vector."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._record: Record | None = None  # whose own part is at hand: made once for all windows
        self._parts = (b"", b"")

    def of(self, row: Row) -> bytes:
        """Return a row's fields and receipts; the closing brace is left out.

        Raises:
            InputError: a field has the name of one of ours, and may not be replaced.
        """
        if row.record is not self._record:
            self._parts = self._shape.around(row.record)
            self._record = row.record
        before, after = self._parts
        text = orjson.dumps(row.text) if self._shape.moves_text else b""
        return objects.opened(before + text + after) + receipts(row.embedded, row.window)


def receipts(embedded: Embedded, window: Window | None = None) -> bytes:
    """Return what is added to a row, except its vector, as members of a JSON object."""
    place = (
        b'"chunk":%d,"start":%d,"end":%d,' % (window.chunk, window.start, window.end)
        if window
        else b""
    )
    cut = b"true" if embedded.truncated else b"false"
    return place + b'"tokens":%d,"truncated":%s' % (embedded.tokens, cut)
