"""What an ONNX file says of itself, read from its protobuf without loading a weight.

Only the fields that a spec needs are looked at: inputs, outputs, operators, and where external
data lies. Everything else, the weights above all, is skipped by its length. Field numbers are
those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and of
https://protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from embedcli.errors import ModelError

_DEEPEST: Final = 64  # graphs inside graphs; real ones stop at three
_MOST_FIELDS: Final = 10_000_000  # of one message; a graph of 8 billion weights has some 100,000

# TensorProto.DataType, as NumPy spells it; a type that is not here is of no use to a model of text.
_TYPES: Final = {
    1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 8: "str", 9: "bool",
    10: "float16", 11: "float64", 16: "bfloat16",
}  # fmt: skip

_FIXED: Final = {1: 8, 5: 4}  # wire types with a length of their own: 64 and 32 bits

Span = tuple[int, int]  # where a message begins and ends in the file
Field = tuple[int, int, int]  # a field's number, then its span, or its value and -1
Rooms = Mapping[int, Callable[[Span, int], None]]  # a field's number: who walks its message


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a graph."""

    name: str
    dtype: str  # as NumPy spells it, or "" where the file does not say
    shape: tuple[int | str, ...] | None  # a number, or the name of a dimension that varies

    @property
    def rank(self) -> int | None:
        """How many dimensions; None where the file does not say."""
        return None if self.shape is None else len(self.shape)


@dataclass(frozen=True, slots=True)
class Graph:
    """An ONNX file's own account of itself."""

    # What must be fed: initializers that the file also lists are not here.
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operators: frozenset[str]  # in the graph, its subgraphs and its functions
    external: tuple[str, ...]  # files with its weights, relative to its own folder, sorted


def read(path: Path) -> Graph:
    """Read the account that an ONNX file gives of itself.

    Raises:
        ModelError: there is no such file, it is damaged, or its weights lie outside its folder.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            walk = _Walk(data)
            walk.model()
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror}") from error
    except (ValueError, LookupError) as error:  # UnicodeDecodeError too; mmap of an empty file
        raise ModelError(
            f"`{path}` is damaged: it is not an ONNX file, or only a part of one",
            hint="delete it and fetch it anew",
        ) from error
    if not walk.outputs:
        raise ModelError(f"`{path}` is damaged: it holds no graph")
    for location in walk.external:
        _refuse_outside(path, location)
    inputs = tuple(value for value in walk.inputs if value.name not in walk.initializers)
    return Graph(
        inputs, tuple(walk.outputs), frozenset(walk.operators), tuple(sorted(walk.external))
    )


def _refuse_outside(path: Path, location: str) -> None:
    """Refuse a place for weights that is not in the graph's own folder or below it.

    `*` begins onnxruntime's mark for an address in memory, which no file may ask for.
    """
    parts = PurePosixPath(location).parts
    if not parts or parts[0] == "/" or ".." in parts or set(location) & set("\\:*\0"):
        raise ModelError(
            f"`{path.name}` is not safe: it wants weights from `{location}`, outside its folder"
        )


class _Walk:
    """One pass over a file, which gathers what `Graph` holds."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.operators: set[str] = set()
        self.external: set[str] = set()
        self.initializers: set[str] = set()

    def model(self) -> None:
        """Walk a ModelProto: the main graph, and the functions beside it."""
        for number, start, end in self._fields((0, len(self.data))):
            if number == 7:
                self._main((start, end))
            elif number == 25:
                self._each((start, end), {7: self._node}, depth=0)

    def _main(self, span: Span) -> None:
        """Walk the main GraphProto, the only one whose inputs and outputs count."""
        self._graph(span, depth=0)
        for number, start, end in self._fields(span):
            if number == 11:
                self.inputs.append(self._value((start, end)))
            elif number == 12:
                self.outputs.append(self._value((start, end)))
            elif number == 5:
                self.initializers.update(self._texts((start, end), 8))

    def _graph(self, span: Span, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("graphs within graphs without end")
        self._each(span, {1: self._node, 5: self._tensor, 15: self._sparse}, depth)

    def _node(self, span: Span, depth: int) -> None:
        for number, start, end in self._fields(span):
            if number == 4:
                self.operators.add(self._text((start, end)))
            elif number == 5:
                self._attribute((start, end), depth)

    def _attribute(self, span: Span, depth: int) -> None:
        tensor, graph, sparse = self._tensor, self._graph, self._sparse
        rooms: Rooms = {5: tensor, 10: tensor, 6: graph, 11: graph, 22: sparse, 23: sparse}
        self._each(span, rooms, depth + 1)

    def _sparse(self, span: Span, depth: int) -> None:
        self._each(span, {1: self._tensor, 2: self._tensor}, depth)

    def _tensor(self, span: Span, depth: int) -> None:
        """Note where a TensorProto's data lies, if not in the file itself."""
        self._each(span, {13: self._entry}, depth)

    def _entry(self, span: Span, _depth: int) -> None:
        """Note the value of an entry of `external_data` whose key is `location`."""
        if self._texts(span, 1) == ["location"]:
            self.external.update(self._texts(span, 2))

    def _value(self, span: Span) -> Value:
        """Read a ValueInfoProto: ValueInfo.type.tensor_type.{elem_type, shape.dim}."""
        (name,) = self._texts(span, 1)
        dtype, shape = "", None
        for tensor in self._path(span, (2, 1)):
            for number, start, end in self._fields(tensor):
                if number == 1 and end < 0:
                    dtype = _TYPES.get(start, "")
                elif number == 2:
                    shape = tuple(self._dimension(dim) for dim in self._path((start, end), (1,)))
        return Value(name, dtype, shape)

    def _dimension(self, span: Span) -> int | str:
        for number, start, end in self._fields(span):
            if number == 1 and end < 0:
                return start
            if number == 2:
                return self._text((start, end))
        return ""

    def _each(self, span: Span, rooms: Rooms, depth: int) -> None:
        """Send every message among the fields of `span` into its room."""
        for number, start, end in self._fields(span):
            room = rooms.get(number)
            if room is not None and end >= 0:
                room((start, end), depth)

    def _path(self, span: Span, numbers: tuple[int, ...]) -> list[Span]:
        """Return the messages at the end of a path of field numbers."""
        spans = [span]
        for wanted in numbers:
            spans = [
                (start, end)
                for message in spans
                for number, start, end in self._fields(message)
                if number == wanted and end >= 0
            ]
        return spans

    def _texts(self, span: Span, wanted: int) -> list[str]:
        return [self._text(found) for found in self._path(span, (wanted,))]

    def _text(self, span: Span) -> str:
        return self.data[span[0] : span[1]].decode()

    def _fields(self, span: Span) -> list[Field]:
        """Return the fields of the message in `span`; a number's `end` is -1.

        Raises:
            ValueError: a field reaches over the end of its message, or is of no known kind.
        """
        data, (place, stop), found = self.data, span, list[Field]()
        while place < stop:
            key, place = self._varint(place)
            kind = key & 7
            if kind == 0:
                value, place = self._varint(place)
                found.append((key >> 3, value, -1))
            elif kind == 2:
                length = data[place]  # most are shorter than 128 bytes: one byte says it
                place += 1
                if length > 127:
                    length, place = self._varint(place - 1)
                found.append((key >> 3, place, place + length))
                place += length
            else:
                place += _FIXED[kind]
            if len(found) > _MOST_FIELDS:
                raise ValueError("too many fields")
        if place != stop:
            raise ValueError("a field reaches over the end of its message")
        return found

    def _varint(self, place: int) -> tuple[int, int]:
        """Return the number that begins at `place`, and where the next field begins."""
        value = self.data[place]
        place += 1
        if value < 128:
            return value, place
        value &= 127
        for shift in range(7, 70, 7):
            byte = self.data[place]
            place += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, place
        raise ValueError("a number without end")
