"""Pooling and finishing, by hand and by property."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from embedcli.engine import pooling

NUMBERS = st.floats(-1e3, 1e3, width=32)


def test_the_poolers_by_hand() -> None:
    hidden = np.array([[[1, 2], [3, 6]], [[5, 0], [7, 0]]], np.float32)
    np.testing.assert_array_equal(pooling.mean(hidden), [[2, 4], [6, 0]])
    np.testing.assert_array_equal(pooling.first(hidden), [[1, 2], [5, 0]])
    np.testing.assert_array_equal(pooling.last(hidden), [[3, 6], [7, 0]])


@given(arrays(np.float32, (4, 5, 6), elements=NUMBERS), st.integers(0, 3))
def test_a_row_does_not_depend_on_its_mates(hidden: NDArray[np.float32], row: int) -> None:
    together = pooling.unit(pooling.mean(hidden))[row]
    alone = pooling.unit(pooling.mean(hidden[row : row + 1]))[0]
    assert together.tobytes() == alone.tobytes()


def test_a_cut_vector_is_scaled_again() -> None:
    vectors = np.array([[3, 4, 12]], np.float32)
    finished = pooling.finish(vectors, dimensions=2, normalize=True)
    np.testing.assert_allclose(finished, [[0.6, 0.8]], rtol=1e-6)


def test_a_raw_vector_keeps_its_length() -> None:
    vectors = np.array([[3, 4, 12]], np.float32)
    finished = pooling.finish(vectors, dimensions=None, normalize=False)
    np.testing.assert_array_equal(finished, vectors)


def test_a_vector_of_zeros_stays_as_it_is() -> None:
    np.testing.assert_array_equal(pooling.unit(np.zeros((1, 3), np.float32)), [[0, 0, 0]])
