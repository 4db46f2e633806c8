"""Which text of a record is embedded: one field, or a template of several."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import orjson

from embedcli.errors import InputError, UsageError

MISSING = object()


@dataclass(frozen=True, slots=True)
class Selection:
    """Literal words and fields, in turn: the text of a record is all of them joined."""

    parts: tuple[tuple[str, str | None], ...]  # (literal, the field after it or None)
    template: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that the text is made of."""
        return tuple(name for _, name in self.parts if name is not None)

    def text(self, record: Mapping[str, Any]) -> str:
        """Return the text of `record`.

        Raises:
            InputError: a field is missing, or holds no text. Says the reason only: the place is
                the reader's to add.
        """
        return "".join(
            literal if name is None else literal + _spelled(name, find(record, name), record)
            for literal, name in self.parts
        )


def field(name: str) -> Selection:
    """Select the field `name`; `a.b` is the field `b` of the object `a`."""
    return Selection((("", name),), template=False)


def template(pattern: str) -> Selection:
    """Select what `pattern` names in braces, with its words around; `{{` stands for a brace.

    Raises:
        UsageError: `pattern` cannot be understood.
    """
    try:
        pattern.encode("utf-8")
        parsed = list(string.Formatter().parse(pattern))
    except UnicodeEncodeError as error:
        raise UsageError("the template is not UTF-8") from error
    except ValueError as error:
        raise UsageError(f"the template `{pattern}` cannot be understood: {error}") from error
    for _, name, spec, conversion in parsed:
        if name == "" or spec or conversion:
            raise UsageError(
                f"the template `{pattern}` cannot be understood: braces hold the name of a field",
                hint="write for instance '{title}: {body}', and {{ for a brace itself",
            )
    selection = Selection(tuple((literal, name) for literal, name, _, _ in parsed), template=True)
    if pattern and not selection.names:  # an empty one is for whom the texts do not matter
        raise UsageError(
            f"the template `{pattern}` names no field, and would make all texts the same",
            hint="put the names of fields into braces: '{title}: {body}'",
        )
    return selection


def find(record: Mapping[str, Any], name: str) -> object:
    """Return the field `name`, or `MISSING`; a field of just that name comes before a path."""
    if name in record:
        return record[name]
    head, dot, rest = name.partition(".")
    inner = record.get(head)
    return find(inner, rest) if dot and isinstance(inner, Mapping) else MISSING


def _spelled(name: str, value: object, record: Mapping[str, Any]) -> str:
    match value:
        case str():
            return value
        case bool() | int() | float() | Decimal() | date() | time() | timedelta():
            return orjson.dumps(value, default=str).decode().strip('"')
        case _ if value is MISSING:
            known = ", ".join(f"`{key}`" for key in record) or "none"
            raise InputError(f"there is no field `{name}`, of the fields {known}")
    kind = {dict: "an object", list: "a list", type(None): "null"}.get(type(value))
    raise InputError(f"the field `{name}` is {kind or type(value).__name__}, not a text")
