"""A recorder counts by minute, forgets nothing in its totals, and stays small."""

from __future__ import annotations

from pinakes.figures.recorder import KEPT, MAX_TEXT, SEEN, SLOW, Recorder


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000_020.0

    def __call__(self) -> float:
        return self.now


def test_minutes_are_apart_and_totals_go_on() -> None:
    clock = Clock()
    recorder = Recorder(clock=clock)
    recorder.record("answer:miss", 0.1)
    clock.now += 60
    recorder.roll()
    recorder.record("answer:miss", 0.2)
    assert [minute.series["answer:miss"].count for minute in recorder.minutes] == [1, 1]
    assert recorder.minutes[1].at - recorder.minutes[0].at == 60
    assert recorder.totals()["answer:miss"].count == 2


def test_asked_again_within_ten_minutes_is_not_asked_first() -> None:
    clock = Clock()
    recorder = Recorder(steady=clock)
    for query, wait in (("a", 0.0), ("b", 0.0), ("a", 599.0), ("a", 601.0)):
        clock.now += wait
        recorder.computed("base", 0.001, query, lambda: "")
    assert recorder.totals()["asked:first"].count == 3
    assert recorder.totals()["engine:base"].count == 4


def test_a_clock_set_back_makes_other_minutes_and_no_question_a_new_one() -> None:
    clock, steady = Clock(), Clock()
    recorder = Recorder(clock=clock, steady=steady)
    for jump in (0, 3 * 3600, -3 * 3600, -5 * 3600, 5 * 3600):
        clock.now += jump
        recorder.roll()
        recorder.computed("base", 0.1, "the same", lambda: "")
    told = [(minute.turn, minute.at) for minute in recorder.minutes]
    assert len(set(told)) == 5
    assert [turn for turn, _ in told] == [0, 0, 1, 2, 2]
    assert recorder.totals()["engine:base"].count == 5
    assert recorder.totals()["asked:first"].count == 1


def test_only_slow_queries_are_remembered_once_each_with_their_longest_time() -> None:
    recorder = Recorder(slow_ms=100)
    recorder.computed("base", 0.099, 1, lambda: "quick")
    recorder.computed("base", 0.2, 2, lambda: "slow")
    recorder.computed("index", 0.1, 2, lambda: "slow")
    (one,) = recorder.minutes[-1].slowest()
    assert (one.query, one.engine, one.seconds, one.times) == ("slow", "base", 0.2, 2)


def test_zero_remembers_no_text() -> None:
    recorder = Recorder(slow_ms=0)
    recorder.computed("base", 100.0, 1, lambda: "slow")
    assert not recorder.minutes[-1].slow


def test_a_recorder_is_bounded() -> None:
    clock = Clock()
    recorder = Recorder(slow_ms=1, clock=clock)
    for number in range(SEEN + 100):
        recorder.computed("base", 1 + number, number, lambda number=number: f"{number} " * MAX_TEXT)  # type: ignore[misc]
    assert len(recorder._seen) == SEEN
    assert len(recorder.minutes[-1].slow) <= 2 * SLOW
    slowest = recorder.minutes[-1].slowest()
    assert [one.seconds for one in slowest] == [float(SEEN + 100 - place) for place in range(SLOW)]
    assert all(len(one.query) <= MAX_TEXT for one in slowest)
    for _ in range(2 * KEPT):
        clock.now += 60
        recorder.roll()
    assert len(recorder.minutes) == KEPT
