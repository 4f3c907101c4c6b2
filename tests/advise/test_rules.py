"""Every rule: facts for which it holds, for which it does not, and for which it cannot tell."""

from __future__ import annotations

import dataclasses

import pytest

from pinakes.advise.advice import Report, advise
from pinakes.advise.cost import index_bytes
from pinakes.advise.facts import Facts, Latency
from pinakes.advise.rules import HUGE, LARGE, RULES

QUICK = Latency(1000, 0.01, 0.05, 0.1)
LATE = Latency(1000, 0.1, 1.0, 8.0)
SLOW = Latency(1000, 0.5, 4.0, 8.0)
FEW = Latency(99, 4.0, 9.0, 9.0)

# A small gallery that is quick, asked again often, written sometimes.
CALM = Facts(
    hours=24.0, items=50_000, taggings=600_000, base_bytes=10**8, reads=5000, writes=500, repetition=0.8,
    hit_rate=0.7, answers=QUICK, engines={"base": Latency(1000, 0.1, 0.8, 0.9)}, hits=Latency(1000, 1e-5, 1e-4, 1e-3),
    cache_bytes=2**28, process_bytes=2**26, index_memory_bytes=2**29,
)  # fmt: skip


def _with(**changes: object) -> Facts:
    return dataclasses.replace(CALM, **changes)  # type: ignore[arg-type]


# Rule -> facts for which it holds, facts just outside it, facts with which it cannot tell.
CASES: dict[str, tuple[list[Facts], list[Facts], list[Facts]]] = {
    "enough": (
        [CALM, _with(growth_per_day=100.0)],
        [_with(answers=LATE), _with(answers=SLOW), _with(items=LARGE), _with(writes=49),
         _with(items=LARGE - 1000, growth_per_day=1000.0)],
        [_with(answers=FEW), _with(answers=None)],
    ),
    "slow-tail": (
        [_with(answers=LATE), _with(answers=LATE, repetition=0.1), _with(answers=LATE, repetition=None)],
        [CALM, _with(answers=SLOW), _with(answers=LATE, repetition=0.09)],
        [_with(answers=FEW)],
    ),
    "slow": ([_with(answers=SLOW)], [CALM, _with(answers=LATE)], [_with(answers=FEW), _with(answers=None)]),
    "slow-and-new": (
        [_with(answers=LATE, repetition=0.05)],
        [_with(answers=LATE, repetition=0.5), _with(repetition=0.05)],
        [_with(answers=FEW), _with(answers=LATE, repetition=None)],
    ),
    "large": ([_with(items=LARGE)], [_with(items=LARGE - 1)], []),
    "large-soon": (
        [_with(items=LARGE - 1000, growth_per_day=12.0)],
        [_with(items=LARGE - 1000, growth_per_day=11.0)],
        [CALM, _with(growth_per_day=-5.0), _with(items=LARGE, growth_per_day=10.0)],
    ),
    "mostly-reads": ([_with(writes=49), _with(writes=0)], [_with(writes=50)], [_with(reads=99, writes=0)]),
    "huge": ([_with(items=HUGE)], [_with(items=HUGE - 1)], []),
    "refresh-too-long": (
        [_with(policy="periodic", refresh_s=76.0, refresh_every_s=300.0)],
        [_with(policy="event", refresh_s=75.0, refresh_every_s=300.0)],
        [_with(policy="incremental", refresh_s=75.0), _with(policy="periodic", refresh_every_s=300.0), CALM],
    ),
    "bitmaps": (
        [_with(policy="incremental", items=100_000),
         _with(policy="incremental", engines={"matview": Latency(100, 0.01, 0.03, 0.06)})],
        [_with(policy="incremental", engines={"matview": Latency(99, 0.01, 0.03, 0.06)}),
         _with(policy="periodic", items=100_000)],
        [CALM],
    ),
    "slow-nevertheless": (
        [_with(answers=LATE, policy="incremental", index=True, cache="hybrid")],
        [CALM, _with(answers=LATE, policy="incremental", index=False, cache="hybrid"),
         _with(answers=SLOW, policy="incremental", index=True)],
        [_with(answers=FEW)],
    ),
    "index-memory": (
        [_with(index=True, index_bytes=2**29 + 1)],
        [_with(index=True, index_bytes=2**29)],
        [_with(index=False, index_bytes=2**29 + 1)],
    ),
    "idle-cache": (
        [_with(cache="hybrid", hit_rate=0.04, repetition=0.09)],
        [_with(cache="hybrid", hit_rate=0.05, repetition=0.09), _with(cache="hybrid", hit_rate=0.04)],
        [_with(hit_rate=0.04, repetition=0.09), _with(cache="hybrid", reads=999, hit_rate=0.0, repetition=0.0)],
    ),
    "ended-too-soon": (
        [_with(cache="event", hit_rate=0.4)],
        [_with(cache="event", hit_rate=0.51)],
        [_with(cache="hybrid", hit_rate=0.1), _with(cache="event", hit_rate=None)],
    ),
    "slow-hits": (
        [_with(hits=Latency(100, 0.001, 0.005, 0.011))],
        [CALM],
        [_with(hits=Latency(99, 0.001, 0.005, 0.011)), _with(hits=None)],
    ),
    "idle-read-model": (
        [_with(policy="incremental", engines={"base": QUICK})],
        [_with(policy="incremental"), _with(policy="incremental", engines={"base": QUICK}, cache="hybrid"),
         _with(policy="incremental", engines={"base": QUICK}, items=100_000),
         _with(policy="incremental", engines={"base": QUICK}, writes=0)],
        [_with(engines={"base": QUICK}), _with(policy="incremental", engines={})],
    ),
}  # fmt: skip


def _told(facts: Facts, name: str) -> bool | None:
    (rule,) = (rule for rule in RULES if rule.name == name)
    return rule.holds(facts)


def test_every_rule_has_a_case_and_a_name_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(CASES)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_rule_holds_where_it_should_and_only_there(name: str) -> None:
    holding, outside, unknown = CASES[name]
    assert all(_told(facts, name) is True for facts in holding)
    assert all(_told(facts, name) is False for facts in outside)
    assert all(_told(facts, name) is None for facts in unknown)
    for facts in holding:
        (one,) = (one for one in advise(facts).advice if one.rule == name)
        assert one.numbers
        assert one.cost


def _parts(report: Report) -> set[tuple[str, str]]:
    return {(one.part, one.verdict) for one in report.to_do}


def test_a_calm_gallery_is_told_to_leave_it() -> None:
    report = advise(CALM)
    assert _parts(report) == set()
    assert [one.rule for one in report.advice] == ["enough"]


def test_near_fifty_million_everything_is_asked_for() -> None:
    report = advise(_with(items=HUGE, answers=SLOW))
    assert {("cache", "on"), ("read model", "on")} <= _parts(report)
    assert ("index", "on") in _parts(advise(_with(items=HUGE, policy="incremental")))


def test_what_is_on_already_is_not_to_do() -> None:
    report = advise(_with(items=HUGE, policy="incremental", cache="hybrid", index=True))
    assert _parts(report) == set()


def test_costs_are_as_measured_where_it_is_there_and_projected_where_not() -> None:
    (there,) = advise(_with(items=LARGE, policy="incremental", view_bytes=5 * 10**9, index=True)).advice[:1]
    assert "5 GB" in there.cost
    (projected,) = advise(_with(items=LARGE)).advice[:1]
    assert "about 9.7 GB" in projected.cost


@pytest.mark.parametrize(("items", "bytes_an_item"), [(100_000, 195), (1_000_000, 82), (10_000_000, 51)])
def test_the_law_of_the_index_goes_through_what_was_measured(items: int, bytes_an_item: int) -> None:
    assert index_bytes(items) / items == pytest.approx(bytes_an_item, rel=0.02)


def test_nothing_measured_is_said() -> None:
    report = advise(Facts(items=1000))
    assert report.note is not None
    assert "slow" in report.unknown
    assert report.advice == ()
