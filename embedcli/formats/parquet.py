"""Parquet: a row a record, every column kept with its own type, vectors as a fixed-size list.

A Parquet file cannot be continued once its writer has died, so rows first go into a file of small
Arrow streams, one after another, which can be cut off behind any of them; `convert` makes a Parquet
file of it at the end. What it writes depends on the rows only, not on how they were cut up.
"""

import base64
import io
import itertools
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import orjson

from embedcli.errors import InputError, UsageError
from embedcli.formats.fields import Selection
from embedcli.formats.lines import not_utf8
from embedcli.formats.record import TEXT, Record, Reject, Row
from embedcli.formats.shape import WINDOW, Members, Shape
from embedcli.formats.sources import Source, reading
from embedcli.records import Vector

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise UsageError(
        "Parquet needs the package pyarrow, which is not installed",
        hint="pip install 'embedcli[parquet]'",
    ) from error

_ROWS = 256  # read at a time
_GROUP = 1 << 25  # bytes of a row group, about; never less than a row
_MANY = 1 << 30  # rows: a table given is a row group
_BLOCK = 1 << 16  # bytes of vectors that go into the partial file at once
_OBJECT = "object"  # the column of a partial file that holds a row as a JSON object
_MARK = b"embed:object"  # in the schema of such a stream
_OURS = {
    TEXT: pa.string(),
    **dict.fromkeys((*WINDOW, "tokens"), pa.int64()),
    "truncated": pa.bool_(),
}  # of what is added, but the vectors


class _Table:
    """Some rows of a Parquet file, as JSON objects once that is asked for."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        # Of a row: what Arrow holds, and about twice as much for the objects.
        self.weight: int = 3 * batch.nbytes // max(1, batch.num_rows)

    @cached_property
    def objects(self) -> list[bytes]:
        columns = [_values(column) for column in self.batch.columns]
        names = self.batch.schema.names
        return [_json(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row, kept where it lies in Arrow's columns."""

    table: _Table
    index: int

    @property
    def weight(self) -> int:
        """Bytes of the row: its share of the columns that it keeps in memory."""
        return self.table.weight

    def json(self) -> bytes:
        """Return the row as a JSON object: decimals as text, bytes in base64."""
        return self.table.objects[self.index]

    def vector(self, name: str) -> Vector:
        """Return a column of numbers (D,) float32; raises KeyError or ValueError as a dict would.

        Read where it lies: a vector as Python numbers would take twenty times as long.
        """
        numbers = self.table.batch.column(name)[self.index].values
        if numbers is None or numbers.null_count:
            raise ValueError("there is no vector")
        vector: Vector = numbers.to_numpy(zero_copy_only=False).astype(np.float32)
        return vector


def read(source: Source, selection: Selection) -> Iterator[Record | Reject]:
    """Yield the rows of `source`, with the text that `selection` finds in each.

    Raises:
        InputError: it is no Parquet file, is damaged, or has no such column.
    """
    with _arrow_errors(source.name), _seekable(source) as file:
        parquet = pq.ParquetFile(file)
        names = tuple(parquet.schema_arrow.names)
        _require(source.name, names, selection)
        total, line = parquet.metadata.num_rows, 0
        heads = sorted({name for name in names if _is_used(name, selection)})
        for batch in parquet.iter_batches(batch_size=_ROWS):
            table, used = _Table(batch), batch.select(heads)
            for index in range(batch.num_rows):
                line += 1
                position = (source.size or 0) * line // total
                try:
                    fields = {name: _embeddable(used[name][index]) for name in heads}
                    text = selection.text(fields)
                except (InputError, UnicodeDecodeError) as bad:
                    reason = str(bad) if isinstance(bad, InputError) else not_utf8(bad)
                    raw = TableRow(_Table(batch.slice(index, 1)), 0).json()
                    yield Reject(source.name, line, position, reason, raw)
                    continue
                yield Record(text, source.name, line, position, TableRow(table, index), names)


def _json(values: object) -> bytes:
    return orjson.dumps(values, default=_spelled, option=orjson.OPT_NON_STR_KEYS)


def _spelled(value: object) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except ValueError:
        values = [_value(scalar) for scalar in column]
    return values


def _embeddable(scalar: pa.Scalar) -> object:
    """Return a value as Python has it; raises UnicodeDecodeError where it is no UTF-8."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        raise
    except ValueError:
        return _value(scalar)


def _value(scalar: pa.Scalar) -> object:
    """Return a value, as text where Python has none like it: nanoseconds, and bad UTF-8."""
    try:
        return scalar.as_py()
    except ValueError:
        if isinstance(scalar, pa.DictionaryScalar | pa.ExtensionScalar):
            return _value(scalar.value)
        if isinstance(scalar, pa.StructScalar):
            return {name: _value(scalar[name]) for name in scalar}
        if isinstance(scalar, pa.ListScalar):
            return [_value(each) for each in scalar.values]
        if isinstance(scalar, pa.StringScalar):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "replace")
        # A time, written as JSON's neighbours are: Arrow puts a space between day and hour.
        return scalar.cast(pa.string()).as_py().replace(" ", "T")


def _is_used(column: str, selection: Selection) -> bool:
    return any(name == column or name.startswith(f"{column}.") for name in selection.names)


def _require(source: str, names: Sequence[str], selection: Selection) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{source}: there is the column `{name}` twice")
    for name in selection.names:
        if not any(name == column or name.startswith(f"{column}.") for column in names):
            known = ", ".join(f"`{column}`" for column in names)
            raise InputError(
                f"{source}: there is no column `{name}`, of the columns {known}",
                hint="name the one to embed with --field",
            )


@contextmanager
def _seekable(source: Source) -> Iterator[IO[bytes]]:
    """Lend the file of `source`, or a temporary copy of what cannot be read from its end."""
    if source.file is source.raw and source.size is not None:
        yield source.raw
        return
    with tempfile.TemporaryFile() as copy:
        while chunk := source.read():
            copy.write(chunk)
        copy.seek(0)
        yield copy


@contextmanager
def _arrow_errors(name: str) -> Iterator[None]:
    try:
        with reading(name):
            yield
    except pa.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"cannot read `{name}`: not a Parquet file, or damaged: {reason}"
        ) from error


class Writer:
    """Rows to small Arrow streams, some rows in each, and those at the end to Parquet."""

    head = b""

    def __init__(self, shape: Shape, dimensions: int, *, dtype: str) -> None:
        self._shape = shape
        self._members = Members(shape)
        self._vectors = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), dimensions)
        self._dtype = np.dtype(dtype)
        self._rows: list[Row] = []
        self._weight = 0

    @property
    def held(self) -> int:
        """How many rows wait for others to go into a stream with."""
        return len(self._rows)

    def add(self, row: Row) -> bytes:
        """Return a stream of the rows that waited and `row`, or nothing while they are few.

        Raises:
            InputError: a field of the caller's has the name of one of ours.
        """
        (self._dropped if isinstance(row.record.fields, TableRow) else self._shape.dropped)(
            row.record
        )
        self._rows.append(row)
        self._weight += row.embedded.vector.nbytes + len(row.text)
        return self.close() if self._weight >= _BLOCK else b""

    def close(self) -> bytes:
        """Return a stream of the rows that waited."""
        rows, self._rows, self._weight = self._rows, [], 0
        groups = itertools.groupby(rows, _table_of)
        return b"".join(self._stream(table, list(some)) for table, some in groups)

    def finish(self, partial: Path, rows: int) -> Path:  # noqa: ARG002
        """Make a Parquet file of the streams, and return it."""
        done = partial.with_name(partial.name + ".parquet")
        ours = {name: _OURS.get(name, self._vectors) for name in self._shape.added}
        convert(partial, done, ours)
        return done

    def _stream(self, table: _Table | None, rows: Sequence[Row]) -> bytes:
        columns = self._objects(rows) if table is None else self._columns(table, rows)
        vectors = np.stack([row.embedded.vector for row in rows]).astype(self._dtype, copy=False)
        columns["embedding"] = pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), self._vectors.list_size
        )
        sink = pa.BufferOutputStream()
        batch = pa.RecordBatch.from_pydict(columns)
        if table is None:
            batch = batch.replace_schema_metadata({_MARK: b""})
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        stream_bytes: bytes = sink.getvalue().to_pybytes()
        return stream_bytes

    def _objects(self, rows: Sequence[Row]) -> dict[str, pa.Array]:
        members = [self._members.of(row) + b"}" for row in rows]
        return {_OBJECT: pa.array(members, pa.large_binary())}

    def _columns(self, table: _Table, rows: Sequence[Row]) -> dict[str, pa.Array]:
        """Return the caller's columns with their own types, and the receipts beside them."""
        dropped = self._dropped(rows[0].record)
        batch = table.batch.take(pa.array([_row_of(row).index for row in rows]))
        columns = {name: batch[name] for name in batch.schema.names if name not in dropped}
        if self._shape.moves_text:
            columns[self._shape.home or TEXT] = pa.array([row.text for row in rows], pa.string())
        if self._shape.windows:
            for name in WINDOW:
                columns[name] = pa.array([getattr(row.window, name) for row in rows], pa.int64())
        columns["tokens"] = pa.array([row.embedded.tokens for row in rows], pa.int64())
        columns["truncated"] = pa.array([row.embedded.truncated for row in rows])
        return columns

    def _dropped(self, record: Record) -> tuple[str, ...]:
        dropped = self._shape.dropped(record)
        moved = (self._shape.home,) if self._shape.moves_text and self._shape.home else ()
        for name in (*dropped, *moved):
            if name not in record.names:
                raise UsageError(
                    f"the field `{name}` is a part of a Parquet column, and cannot be taken out",
                    hint="write JSONL: -o OUT.jsonl",
                )
        return dropped


def _table_of(row: Row) -> _Table | None:
    return row.record.fields.table if isinstance(row.record.fields, TableRow) else None


def _row_of(row: Row) -> TableRow:
    assert isinstance(row.record.fields, TableRow), "a row of JSON among a table's"
    return row.record.fields


def convert(partial: Path, done: Path, ours: Mapping[str, pa.DataType]) -> None:
    """Make the Parquet file `done` of the Arrow streams in `partial`; `ours` are what was added.

    A column of JSON fields has the type that holds all its values; where there is none, it holds
    text: strings as they are, and JSON for the rest.
    """
    types = _types(partial, ours)
    while (unfit := _written(partial, done, types)) is not None:
        types[unfit] = pa.string()


def _types(partial: Path, ours: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Return the columns in their order, `ours` last, each with its type."""
    types: dict[str, pa.DataType] = {}
    for block, _ in _blocks(partial):
        for name, values in block.items():
            kind = _type(values)
            types[name] = _merged(types[name], kind) if name in types else kind
    caller = {name: _storable(kind) for name, kind in types.items() if name not in ours}
    return caller | dict(ours)


def _written(partial: Path, done: Path, types: dict[str, pa.DataType]) -> str | None:
    """Write `done`; return the column whose values turn out not to fit its type, if any does."""
    schema = pa.schema(types.items())
    with done.open("wb") as file:
        with pq.ParquetWriter(file, schema) as writer:
            for group in _groups(partial):
                columns = []
                for name, kind in types.items():
                    try:
                        columns.append([_array(block, name, kind) for block in group])
                    except pa.ArrowException:
                        return name
                chunks = [pa.chunked_array(column) for column in columns]
                writer.write_table(pa.table(chunks, schema=schema), row_group_size=_MANY)
        file.flush()
        os.fsync(file.fileno())
    return None


_Block: TypeAlias = dict[str, "list[Any] | pa.Array"]  # values by column


def _groups(partial: Path) -> Iterator[list[_Block]]:
    """Yield blocks, as many as make a row group."""
    group: list[_Block] = []
    weight = 0
    for block, size in _blocks(partial):
        group.append(block)
        weight += size
        if weight >= _GROUP:
            yield group
            group, weight = [], 0
    if group:
        yield group


def _blocks(partial: Path) -> Iterator[tuple[_Block, int]]:
    """Yield the columns of each stream in `partial`, and its bytes."""
    with pa.OSFile(str(partial)) as file:
        while (start := file.tell()) < file.size():
            with pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    block = dict(zip(batch.schema.names, batch.columns, strict=True))
                    if _MARK in (batch.schema.metadata or {}):
                        block = _parsed(block)
                    yield block, file.tell() - start


def _parsed(block: _Block) -> _Block:
    """Return the fields of JSON objects as columns, with the other columns."""
    rows = [orjson.loads(value.as_py()) for value in block.pop(_OBJECT)]
    names = dict.fromkeys(name for row in rows for name in row)
    fields: _Block = {name: [row.get(name) for row in rows] for name in names}
    return fields | block


def _type(values: "list[Any] | pa.Array") -> pa.DataType:
    try:
        return values.type if isinstance(values, pa.Array) else pa.array(values).type
    except (pa.ArrowException, OverflowError):
        return pa.string()


def _merged(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that holds values of both."""
    schemas = [pa.schema([("", one)]), pa.schema([("", other)])]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()


def _storable(kind: pa.DataType) -> pa.DataType:
    """Return `kind`, or text where Parquet has no such type: null, or an object without fields."""
    try:
        with pq.ParquetWriter(io.BytesIO(), pa.schema([("", kind)])):
            return pa.string() if pa.types.is_null(kind) else kind
    except pa.ArrowException:
        return pa.string()


def _array(block: _Block, name: str, kind: pa.DataType) -> pa.Array:
    """Return the column `name` of `block` as `kind`."""
    rows = len(block["embedding"])
    values = block.get(name)
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array) and not pa.types.is_string(kind):
        return values.cast(kind)
    if pa.types.is_string(kind):
        values = [
            _text(value) for value in (values if isinstance(values, list) else _values(values))
        ]
    return pa.array(values, kind)


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value).decode()
