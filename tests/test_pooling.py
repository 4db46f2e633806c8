"""Pooling and finishing, by hand and by property."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from embedcli.engine import pooling
from embedcli.models.spec import Pooling

NUMBERS = st.floats(-1e3, 1e3, width=32)


def test_the_poolers_by_hand() -> None:
    hidden = np.array([[[1, 2], [3, 6]], [[5, 0], [7, 0]]], np.float32)
    np.testing.assert_array_equal(pooling.mean(hidden), [[2, 4], [6, 0]])
    np.testing.assert_array_equal(pooling.cls(hidden), [[1, 2], [5, 0]])
    np.testing.assert_array_equal(pooling.last(hidden), [[3, 6], [7, 0]])
    np.testing.assert_array_equal(pooling.maximum(hidden), [[3, 6], [7, 0]])
    np.testing.assert_allclose(pooling.mean_sqrt(hidden) * 2**0.5, [[4, 8], [12, 0]], rtol=1e-6)
    np.testing.assert_allclose(pooling.weighted_mean(hidden), [[7 / 3, 14 / 3], [19 / 3, 0]])


def test_a_prompt_left_out_keeps_the_places_of_what_follows() -> None:
    hidden = np.array([[[9], [1], [4]]], np.float32)
    pooled = pooling.pool(hidden, [Pooling.WEIGHTED_MEAN, Pooling.CLS], prompt=1)
    np.testing.assert_allclose(pooled, [[(2 * 1 + 3 * 4) / 5, 1]], rtol=1e-6)


@given(arrays(np.float32, (4, 5, 6), elements=NUMBERS), st.integers(0, 3))
def test_a_row_does_not_depend_on_its_mates(hidden: NDArray[np.float32], row: int) -> None:
    together = pooling.unit(pooling.pool(hidden, list(Pooling)))[row]
    alone = pooling.unit(pooling.pool(hidden[row : row + 1], list(Pooling)))[0]
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
