"""Inputs to records: every format, plain and compressed, whole and broken."""

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from embedcli.errors import InputError, UsageError
from embedcli.formats import inputs
from embedcli.formats.inputs import Reading
from embedcli.formats.record import Record, Reject

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
PLAIN = Reading()


def read(folder: Path, name: str, content: bytes, reading: Reading = PLAIN) -> list[object]:
    """Return what is read from a file `name` that holds `content`."""
    path = folder / name
    path.write_bytes(content)
    return list(inputs.read([str(path)], reading))


def texts(folder: Path, name: str, content: bytes, reading: Reading = PLAIN) -> list[str]:
    """Return the texts, all records being readable."""
    records = read(folder, name, content, reading)
    assert all(isinstance(record, Record) for record in records), records
    return [record.text for record in records if isinstance(record, Record)]


def reasons(folder: Path, name: str, content: bytes, reading: Reading = PLAIN) -> list[str]:
    """Return line and reason of each record that cannot be read."""
    records = read(folder, name, content, reading)
    return [f"{bad.line}: {bad.reason}" for bad in records if isinstance(bad, Reject)]


def parquet(columns: Mapping[str, object]) -> bytes:
    return written(pa.table(columns))


def written(table: pa.Table) -> bytes:
    file = BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


TWICE = written(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]))


def test_row_i_is_line_i_whatever_the_line_ends(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfone\r\n\r\n two \nlast"
    assert texts(tmp_path, "a.txt", content) == ["one", "", " two ", "last"]


@pytest.mark.parametrize("start", [b"a\n", b"\n", b"\xef\xbb\xbfa\n"])
def test_a_short_line_is_read_before_the_next_one_comes(start: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, start)
    records = inputs.read([f"/dev/fd/{reader}"], PLAIN)
    first = next(records)
    assert isinstance(first, Record)
    assert first.text == start.decode("utf-8-sig").strip()
    os.close(writer)
    assert list(records) == []
    os.close(reader)


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    for name in ("a.txt", "a.jsonl", "a.csv", "a.tsv"):
        assert texts(tmp_path, name, b"") == []
    assert texts(tmp_path, "a.parquet", parquet({"text": []})) == []


def test_nul_separates_texts_that_hold_line_ends(tmp_path: Path) -> None:
    assert texts(tmp_path, "a", b"a\nb\r\0\0c", Reading(nul=True)) == ["a\nb\r", "", "c"]


def test_a_whole_file_is_one_text(tmp_path: Path) -> None:
    assert texts(tmp_path, "a.jsonl.gz", gzip.compress(b"{}\n"), Reading(whole=True)) == ["{}\n"]


def test_a_name_that_is_no_utf8_becomes_data(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (record,) = read(tmp_path, name, b"text", Reading(whole=True))
    assert isinstance(record, Record)
    assert orjson.loads(record.json) == {"path": f"{tmp_path}/caf\ufffd.txt", "text": "text"}
    (bad,) = read(tmp_path, name, b"\xff")
    assert isinstance(bad, Reject)
    assert bad.source == record.source


def test_json_fields_are_found_by_name_by_path_and_by_template(tmp_path: Path) -> None:
    line = b'{"text":"t","a":{"b":"deep"},"a.c":"dotted","n":1.50}\n'
    assert texts(tmp_path, "a.jsonl", line) == ["t"]
    assert texts(tmp_path, "a.jsonl", line, Reading(field="a.b")) == ["deep"]
    assert texts(tmp_path, "a.jsonl", line, Reading(field="a.c")) == ["dotted"]
    asked = Reading(template="{a.b}: {n} {{{text}}}")
    assert texts(tmp_path, "a.jsonl", line, asked) == ["deep: 1.5 {t}"]


def test_csv_cells_may_span_lines_and_hold_quotes(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfid,text\r\n1,"a ""b""\r\nc"\r\n\r\n2,d'
    records = read(tmp_path, "a.csv", content)
    assert [(r.text, r.line, r.fields) for r in records if isinstance(r, Record)] == [
        ('a "b"\r\nc', 2, orjson.dumps({"id": "1", "text": 'a "b"\r\nc'})),
        ("d", 5, b'{"id":"2","text":"d"}'),
    ]


def test_tsv_keeps_commas(tmp_path: Path) -> None:
    assert texts(tmp_path, "a.tsv", b"id\ttext\n1\ta, b\n") == ["a, b"]


def test_parquet_columns_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    content = parquet({"text": ["a", "b"], "meta": [{"t": "x"}, {"t": "y"}]})
    assert texts(tmp_path, "a.parquet", content) == ["a", "b"]
    assert texts(tmp_path, "a.parquet", content, Reading(template="{meta.t}{text}")) == ["xa", "yb"]


def latin1(*texts: bytes) -> pa.Array:
    """Return a column of texts that are not UTF-8, as other programs write them."""
    return pa.Array.from_buffers(pa.string(), len(texts), pa.array(texts, pa.binary()).buffers())


def test_values_that_python_does_not_have_become_text(tmp_path: Path) -> None:
    columns = {
        "text": ["a", "b"],
        "name": latin1(b"caf\xe9", b"tea"),
        "at": pa.array([1, 1_000_000_000], pa.timestamp("ns")),
    }
    asked = Reading(template="{text} {at}")
    found = read(tmp_path, "a.parquet", parquet(columns), asked)
    assert [(r.text, orjson.loads(r.json)["name"]) for r in found if isinstance(r, Record)] == [
        ("a 1970-01-01T00:00:00.000000001", "caf\ufffd"),
        ("b 1970-01-01T00:00:01", "tea"),
    ]


def test_a_text_of_a_table_that_is_no_utf8_is_a_bad_record(tmp_path: Path) -> None:
    content = parquet({"text": latin1(b"caf\xe9", b"tea")})
    reason = "1: not UTF-8: unexpected end of data at byte 4"
    assert reasons(tmp_path, "a.parquet", content) == [reason]


def test_dates_and_decimals_are_embedded_as_they_are_written(tmp_path: Path) -> None:
    content = parquet({"on": [date(2026, 1, 2)], "price": [Decimal("1.50")]})
    assert texts(tmp_path, "a.parquet", content, Reading(template="{on}: {price}")) == [
        "2026-01-02: 1.50"
    ]


@pytest.mark.parametrize("compression", COMPRESS)
def test_every_format_may_be_compressed(compression: str, tmp_path: Path) -> None:
    plain = {
        "a.txt": b"a\nb\n",
        "a.jsonl": b'{"text":"a"}\n{"text":"b"}\n',
        "a.csv": b"text\na\nb\n",
        "a.tsv": b"text\na\nb\n",
        "a.parquet": parquet({"text": ["a", "b"]}),
    }
    for name, content in plain.items():
        packed = COMPRESS[compression](content)
        assert texts(tmp_path, f"{name}.{compression}", packed) == ["a", "b"]
        kind = {"txt": "lines"}.get(name[2:], name[2:])
        asked = Reading(form=f"{kind}.{compression}")
        assert texts(tmp_path, "unnamed", packed, asked) == ["a", "b"]


@pytest.mark.parametrize("compression", COMPRESS)
def test_frames_follow_one_another_and_a_broken_one_is_an_error(
    compression: str, tmp_path: Path
) -> None:
    pack = COMPRESS[compression]
    both = pack(b"a\n") + pack(b"b\n")
    assert texts(tmp_path, f"a.txt.{compression}", both) == ["a", "b"]
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path, f"a.txt.{compression}", both[:-3])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"ok\nb\xff\n", ["2: not UTF-8: invalid start byte at byte 2"]),
        ("a.jsonl", b"[1]\n", ["1: not a JSON object"]),
        ("a.jsonl", b'{"text":null}\n', ["1: the field `text` is null, not a text"]),
        ("a.jsonl", b'{"a":1,"b":2}', ["1: there is no field `text`, of the fields `a`, `b`"]),
        ("a.jsonl", b'\n{"text":"\xff"}', ["2: not UTF-8: invalid start byte at byte 10"]),
        ("a.csv", b"id,text\n1\n", ["2: 1 cells, but the header has 2"]),
        ("a.csv", b"text\nb\xff\n", ["2: not UTF-8"]),
        ("a.csv", b'text\nok\n"never\nclosed', ["3: not CSV: unexpected end of data"]),
        ("a.parquet", parquet({"text": ["a", None]}), ["2: the field `text` is null, not a text"]),
        ("a.parquet", parquet({"text": [b"a"]}), ["1: the field `text` is bytes, not a text"]),
    ],
)
def test_a_record_that_cannot_be_read_says_where_and_why(
    name: str, content: bytes, expected: list[str], tmp_path: Path
) -> None:
    assert reasons(tmp_path, name, content) == expected


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"id,body\n1,x\n", "there is no column `text`, of the columns `id`, `body`"),
        ("a.csv", b"text,text\n", "the header has the column `text` twice"),
        ("a.parquet", TWICE, "there is the column `text` twice"),
        ("a.parquet", b"PAR1 no", "not a Parquet file, or damaged"),
        ("a.txt", "a".encode("utf-16"), "it is UTF-16, not UTF-8"),
        ("a.txt.gz", b"plain", "cannot read"),
    ],
)
def test_a_file_that_cannot_be_read_stops_the_run(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, name, content)


@pytest.mark.parametrize(
    "reading",
    [
        Reading(form="xml"),
        Reading(form="jsonl.rar"),
        Reading(field="a", template="{b}"),
        Reading(template="{"),
        Reading(template="{}"),
        Reading(template="{a!r}"),
        Reading(template="body"),
        Reading(template="\udcff{a}"),
        Reading(field="a"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(reading: Reading, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, "a.txt", b"x\n", reading)


def test_positions_grow_to_the_size_of_all_inputs(tmp_path: Path) -> None:
    names = []
    for name, content in [("a.txt", b"a\nb\n"), ("b.txt.gz", gzip.compress(b"c\nd\n"))]:
        (tmp_path / name).write_bytes(content)
        names.append(str(tmp_path / name))
    positions = [record.position for record in inputs.read(names, PLAIN)]
    assert positions[:2] == [2, 4]
    assert positions == sorted(positions)
    assert positions[-1] == inputs.size_of(names)


KINDS = ["lines", "jsonl", "csv", "tsv", "parquet"]
FORMS = [*KINDS, *(f"{kind}.{packed}" for kind in KINDS for packed in COMPRESS)]


@given(form=st.sampled_from(FORMS), content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_cleanly(
    form: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        records = read(folder, "any", content, Reading(form=form))
    except InputError:
        return
    assert all(isinstance(record, Record | Reject) for record in records)


words = st.text(st.characters(codec="utf-8"))


@given(written=st.lists(words.map(lambda text: text.replace("\n", "").removesuffix("\r"))))
def test_lines_come_back(written: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    content = "".join(f"{line}\n" for line in written).encode()
    if not content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        assert texts(tmp_path_factory.getbasetemp(), "lines", content) == written


@given(
    fields=st.lists(
        st.dictionaries(words, st.integers() | words | st.lists(st.booleans()), max_size=3)
    ),
    spaces=st.sampled_from(["", " ", "\t"]),
)
def test_json_objects_come_back_as_they_were_spelled(
    fields: list[dict[str, object]], spaces: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    import json

    lines = [json.dumps({**each, "text": "t"}, separators=("," + spaces, ":")) for each in fields]
    records = read(tmp_path_factory.getbasetemp(), "a.jsonl", "\n".join(lines).encode())
    assert [record.fields for record in records if isinstance(record, Record)] == [
        line.encode() for line in lines
    ]
