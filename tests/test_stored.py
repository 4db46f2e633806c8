"""Stored vectors are read as they are, and whatever else a file holds is told in a line."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embedcli.errors import InputError
from embedcli.formats import stored
from embedcli.formats.inputs import Reading
from tests.conftest import embed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
DESCRIPTIONS = st.sampled_from(["<f4", ">f8", "<f2", "|b1", "|O", "<U3", "<i8", "<U0", "", "f4,f4"])
HEADERS = st.fixed_dictionaries(
    {
        "descr": DESCRIPTIONS | JSON,
        "fortran_order": st.booleans() | JSON,
        "shape": st.lists(st.integers(-3, 3) | st.integers(), max_size=3).map(tuple) | JSON,
    }
).map(repr)


@st.composite
def arrays(draw: st.DrawFn) -> bytes:
    """Draw the bytes of an NPY file whose header says anything."""
    header = draw(HEADERS | st.text()).encode() + b"\n"
    version = draw(st.sampled_from([b"\1\0", b"\2\0", b"\3\0", b"\4\0"]))
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + header + draw(st.binary(max_size=64))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


def valueless() -> bytes:
    """Return an array of values that have no width."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<U0", "fortran_order": False, "shape": (2, 2)}
    )
    return file.getvalue()


def packed() -> bytes:
    file = io.BytesIO()
    np.savez(file, np.eye(3))
    return file.getvalue()


@given(arrays() | st.binary())
@example(b"")
@example(b"\x93NUMPY\x01\x00\x02\x00{\n")
@example(valueless())
@example(packed())
def test_any_bytes_are_an_array_of_vectors_or_told(folder: Path, content: bytes) -> None:
    file = folder / "v.npy"
    file.write_bytes(content)
    try:
        rows = stored.array(str(file))
    except InputError:
        return
    np.testing.assert_array_equal(rows, np.load(io.BytesIO(content)))


@given(st.lists(JSON.map(lambda value: {"embedding": value}) | JSON), st.binary())
@example([{"embedding": 5}], b"")
@example([{"embedding": [[0.5]]}], b"")
def test_any_lines_hold_vectors_or_are_told(folder: Path, values: list[Any], rest: bytes) -> None:
    file = folder / "v.jsonl"
    file.write_bytes(b"".join(json.dumps(value).encode() + b"\n" for value in values) + rest)
    try:
        found = list(stored.rows(str(file), Reading()))
    except InputError:
        return
    for (record, vector), value in zip(found, values, strict=False):
        assert isinstance(record.fields, bytes)
        np.testing.assert_array_equal(vector, np.array(value["embedding"], np.float32))


@pytest.mark.parametrize("column", [["a"], [1.5], [None], [{"a": 1}], [[["a"]]], [[[0.5]]]])
def test_a_column_of_something_else_is_told(tmp_path: Path, column: list[Any]) -> None:
    pq.write_table(pa.table({"embedding": column}), tmp_path / "v.parquet")
    with pytest.raises(InputError, match=r"v.parquet:1: the `embedding` is missing, or is no vec"):
        list(stored.rows(str(tmp_path / "v.parquet"), Reading()))


def test_an_array_of_no_vectors_is_nothing_to_compare_with(tmp_path: Path) -> None:
    assert embed("file", "-", "-o", tmp_path / "v.npy").code == 0
    run = embed("similar", "x", "--in", tmp_path / "v.npy")
    assert (run.code, run.err.splitlines()[0]) == (3, "error: there is nothing to compare with")
