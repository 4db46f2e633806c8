"""Ranking, by hand and against the slow way."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from embedcli import similar
from embedcli.errors import InputError
from embedcli.similar import Hit

NUMBERS = st.sampled_from([-2.0, -0.5, 0.0, 0.125, 1.0, 3.0])
ROWS = st.integers(1, 60).flatmap(lambda n: arrays(np.float32, (n, 3), elements=NUMBERS))
QUERY = arrays(np.float32, 3, elements=NUMBERS)


def floats(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


def test_cosines_by_hand() -> None:
    found = similar.scores(floats((1, 0))[0], floats((2, 0), (0, 3), (-1, 0), (1, 1), (0, 0)))
    np.testing.assert_allclose(found, [1, 0, -1, 0.5**0.5, 0])


def test_dot_products_keep_the_lengths() -> None:
    found = similar.scores(floats((1, 2))[0], floats((2, 0), (0, 3)), cosine=False)
    np.testing.assert_array_equal(found, [2, 6])


def test_everything_against_everything_is_symmetric() -> None:
    square = similar.matrix(floats((1, 0), (1, 1), (0, 2)))
    np.testing.assert_array_equal(square, square.T)
    np.testing.assert_allclose(np.diag(square), 1)


@given(QUERY, ROWS, st.integers(1, 70), st.none() | st.floats(-1, 1), st.booleans())
def test_a_large_array_is_ranked_as_if_each_row_had_been_scored(
    query: NDArray[np.float32],
    rows: NDArray[np.float32],
    top: int,
    least: float | None,
    cosine: bool,
) -> None:
    slow = similar.scores(query, rows, cosine=cosine)
    expected = similar.best(map(Hit, range(len(rows)), slow.tolist()), top=top, least=least)
    assert similar.rank(query, rows, top=top, least=least, cosine=cosine, threads=2) == expected


def test_blocks_and_cores_change_nothing() -> None:
    random = np.random.default_rng(7)
    rows = random.standard_normal((20_000, 8), dtype=np.float32)
    rows[19_999] = rows[3]  # a tie, far away
    hits = similar.rank(rows[3], rows, top=5, threads=3)
    assert [hit.row for hit in hits[:2]] == [3, 19_999]
    assert hits[0].score == hits[1].score == pytest.approx(1)


def test_nan_is_named() -> None:
    rows = floats((1, 0), (np.nan, 0))
    for rank in (similar.scores, lambda query, rows: similar.rank(query, rows, top=1)):
        with pytest.raises(InputError, match=r"^vector 2 holds NaN or infinity$"):
            rank(rows[0], rows)


@settings(max_examples=50)
@given(ROWS, st.floats(-1, 1))
@example(floats((1, 2, 3), (1, 2, 3), (3, 1, 2)), 1.0)
@example(floats((0, 0, 0), (0, 0, 0)), 0.5)
@example(floats((0, 0, 0), (0, 0, 0), (1, 0, 0)), 0.0)
@example(np.tile(np.random.default_rng(3).standard_normal((30, 40), np.float32), (4, 1)), 0.3)
@example(np.random.default_rng(3).uniform(0.999, 1, (99, 40)).astype(np.float32), 1 - 3e-8)
def test_groups_are_what_chains_of_likeness_connect(
    rows: NDArray[np.float32], least: float
) -> None:
    square = similar.matrix(rows)
    near = [[b for b in range(len(rows)) if square[a][b] >= least] for a in range(len(rows))]
    expected, seen = [], set[int]()
    for row in range(len(rows)):
        group, frontier = {row}, [row]
        while frontier:
            news = set(near[frontier.pop()]) - group
            group |= news
            frontier += news
        if row not in seen and len(group) > 1:
            expected.append(sorted(group))
        seen |= group
    assert similar.groups(rows, least) == expected


def test_thousands_of_near_duplicates_are_grouped_across_tiles() -> None:
    random = np.random.default_rng(5)
    centres = random.standard_normal((3, 32), np.float32)
    rows = centres[np.arange(2500) % 3] + 1e-4 * random.standard_normal((2500, 32), np.float32)
    expected = [list(range(first, 2500, 3)) for first in range(3)]
    assert similar.groups(rows, 0.99) == expected
