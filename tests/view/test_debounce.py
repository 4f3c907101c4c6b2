"""The debounce rule, and how many refreshes bursts and trickles make under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pinakes.view.debounce import due_at

START = datetime(2024, 1, 1, tzinfo=UTC)
seconds = st.floats(0, 10_000)


def refreshes(writes: list[float], quiet_s: float, max_wait_s: float) -> list[float]:
    """The moments of all refreshes, if a refresh takes no time and whoever waits sleeps until it is due."""
    done: list[float] = []
    waiting: list[float] = []
    queue = sorted(writes)
    while queue or waiting:
        if waiting:
            first, last = START + timedelta(seconds=waiting[0]), START + timedelta(seconds=waiting[-1])
            due = (due_at(first, last, now=last, quiet_s=quiet_s, max_wait_s=max_wait_s) - START).total_seconds()
            if not queue or due < queue[0]:
                done.append(due)
                waiting = []
                continue
        waiting.append(queue.pop(0))
    return done


def test_a_burst_of_a_thousand_writes_makes_one_refresh() -> None:
    assert refreshes([n / 1000 for n in range(1000)], 30, 300) == [30.999]


def test_a_steady_trickle_is_refreshed_within_the_maximum_wait() -> None:
    done = refreshes([float(n) for n in range(1000)], 30, 300)
    assert done[0] == 300
    assert all(later - earlier <= 301 for earlier, later in pairwise(done))


def test_two_bursts_far_apart_make_two_refreshes() -> None:
    assert refreshes([0, 1, 100, 101], 30, 300) == [31, 131]


def test_no_wait_at_all_refreshes_at_once() -> None:
    assert refreshes([5], 0, 300) == [5]
    assert refreshes([5], 30, 0) == [5]


@given(writes=st.lists(seconds, min_size=1, max_size=50), quiet_s=seconds, max_wait_s=seconds)
def test_every_write_is_refreshed_after_it_and_within_both_limits(
    writes: list[float], quiet_s: float, max_wait_s: float
) -> None:
    done = refreshes(writes, quiet_s, max_wait_s)
    tick = 1e-5  # a microsecond, and the rounding of floats to it
    for write in writes:
        first = min((moment for moment in done if moment >= write - tick), default=None)
        assert first is not None
        assert first <= write + max_wait_s + tick
    assert len(done) <= len(writes)


@given(first=seconds, gap=seconds, later=seconds, quiet_s=seconds, max_wait_s=seconds)
def test_a_later_write_never_makes_it_due_earlier(
    first: float, gap: float, later: float, quiet_s: float, max_wait_s: float
) -> None:
    begin = START + timedelta(seconds=first)
    last = begin + timedelta(seconds=gap)
    before = due_at(begin, last, now=last, quiet_s=quiet_s, max_wait_s=max_wait_s)
    after = due_at(
        begin,
        last + timedelta(seconds=later),
        now=last + timedelta(seconds=later),
        quiet_s=quiet_s,
        max_wait_s=max_wait_s,
    )
    assert after >= before


def test_writes_from_the_future_of_a_clock_set_back_are_due_now() -> None:
    ahead = START + timedelta(hours=3)
    assert due_at(ahead, ahead, now=START, quiet_s=30, max_wait_s=300) == START
    assert due_at(START - timedelta(hours=1), ahead, now=START, quiet_s=30, max_wait_s=7200) == START
