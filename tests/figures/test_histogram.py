"""Histograms say nearly what the values say, and add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.figures.histogram import LAST, SMALLEST_S, Histogram, cell_of, merged, upper_s

_SECONDS = st.floats(min_value=0, max_value=upper_s(LAST - 1))


def _of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(_SECONDS, min_size=1), st.floats(min_value=0.01, max_value=1))
def test_a_quantile_is_never_too_low_and_at_most_nine_percent_too_high(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(share * len(values) - 1e-9) - 1]
    told = _of(values).quantile(share)
    assert told is not None
    assert exact * (1 - 1e-6) <= told <= max(exact * 2 ** (1 / 8), SMALLEST_S) * (1 + 1e-6)


@given(st.lists(st.lists(_SECONDS)))
def test_histograms_add_up(parts: list[list[float]]) -> None:
    whole, added = _of([value for part in parts for value in part]), merged(map(_of, parts))
    assert added.cells == whole.cells
    assert added.slowest == whole.slowest
    assert math.isclose(added.seconds, whole.seconds, abs_tol=1e-9)


@pytest.mark.parametrize("cell", [0, 1, 7, 8, 100, LAST - 1])
def test_the_end_of_a_cell_belongs_to_it(cell: int) -> None:
    assert cell_of(upper_s(cell)) == cell
    assert cell_of(upper_s(cell) * 1.001) == cell + 1


def test_what_takes_longer_than_the_last_cell_is_counted_there_and_told_exactly() -> None:
    histogram = _of([0.001, 10_000.0])
    assert histogram.cells[LAST] == 1
    assert histogram.quantile(1.0) == 10_000.0


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().mean is None


def test_how_many_were_quick_enough() -> None:
    assert _of([0.001, 0.002, 0.5]).within(0.01) == 2
