"""What is written reads back: floats to the bit, texts to the letter."""

import io
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from embedcli.formats import jsonl, npy, ollama
from embedcli.records import Embedded

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = arrays(np.float32, 7, elements=FLOATS)
TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(TEXTS, VECTORS, st.integers(0, 9999), st.booleans())))
def test_jsonl_reads_back_to_the_bit(
    rows: list[tuple[str, NDArray[np.float32], int, bool]],
) -> None:
    file = io.BytesIO()
    jsonl.write(file, [(text, Embedded(vector, tokens, cut)) for text, vector, tokens, cut in rows])
    read = [json.loads(line) for line in file.getvalue().split(b"\n")[:-1]]
    assert [list(row) for row in read] == [["text", "tokens", "truncated", "embedding"]] * len(rows)
    for (text, vector, tokens, truncated), row in zip(rows, read, strict=True):
        assert (row["text"], row["tokens"], row["truncated"]) == (text, tokens, truncated)
        assert np.array(row["embedding"], np.float32).tobytes() == vector.tobytes()


@given(st.lists(VECTORS))
def test_npy_reads_back_to_the_bit(vectors: list[NDArray[np.float32]]) -> None:
    file = io.BytesIO()
    npy.write(file, [Embedded(vector, 3, False) for vector in vectors], dimensions=7)
    file.seek(0)
    read = np.load(file, allow_pickle=False)
    assert (read.shape, read.dtype) == ((len(vectors), 7), np.float32)
    assert read.tobytes() == b"".join(vector.tobytes() for vector in vectors)


def test_the_document_of_ollama() -> None:
    rows = [Embedded(np.array([0.5, 1], np.float32), 8, False)] * 2
    document = ollama.document("m", rows, total_duration=7, load_duration=5)
    assert document == (
        b'{"model":"m","embeddings":[[0.5,1.0],[0.5,1.0]],'
        b'"total_duration":7,"load_duration":5,"prompt_eval_count":16}'
    )
    empty = ollama.document("m", [], total_duration=7, load_duration=5)
    assert empty == b'{"model":"m","embeddings":[]}'
