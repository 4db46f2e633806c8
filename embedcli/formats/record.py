"""What readers yield and writers take: a text with what stood around it, and its vector."""

from dataclasses import dataclass
from typing import Protocol

from embedcli.errors import InputError
from embedcli.records import Embedded, Vector

TEXT = "text"  # the field of a text, where nothing else is said


class Columns(Protocol):
    """A row of a table whose values are richer than JSON's, such as Parquet's."""

    @property
    def weight(self) -> int:
        """Bytes that the row takes in memory, about."""
        ...

    def json(self) -> bytes:
        """Return the row as a JSON object."""
        ...

    def vector(self, name: str) -> Vector:
        """Return a column of numbers (D,) float32; raises as a dict of lists would."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One text of an input, where it stood, and the caller's fields around it."""

    text: str
    source: str  # the file as typed
    line: int  # the record's first line, from 1; its row in a Parquet file
    position: int  # bytes of the file read up to its end
    fields: bytes | Columns  # a JSON object as it was spelled, or the row of a table
    names: tuple[str, ...]  # of the fields

    @property
    def json(self) -> bytes:
        """The fields as a JSON object."""
        return self.fields if isinstance(self.fields, bytes) else self.fields.json()

    @property
    def weight(self) -> int:
        """Bytes that the fields take in memory, about."""
        return len(self.fields) if isinstance(self.fields, bytes) else self.fields.weight


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be read, and why."""

    source: str
    line: int
    position: int
    reason: str
    raw: bytes  # as it stood, for whoever mends it
    hint: str = ""  # where it takes more than mending it

    def error(self, hint: str) -> InputError:
        """Return what stops a run that skips nothing."""
        return InputError(f"{self.source}:{self.line}: {self.reason}", hint=self.hint or hint)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a long text: `text[start:end]`, in characters."""

    chunk: int  # its number in the text, from 0
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Row:
    """What one output record is made of."""

    record: Record
    text: str  # what was embedded: the record's text, or a window of it
    window: Window | None
    embedded: Embedded
