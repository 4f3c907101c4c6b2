"""Measurements: every contestant right, wrong ones found, counts that repeat, and going on after a kill."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from pinakes.bench import engine_contestants
from pinakes.bench.contestant import Given
from pinakes.bench.draw import Ask
from pinakes.bench.gallery import BenchGallery, Law
from pinakes.bench.measure import ENGINES, Measurement, Plan
from pinakes.bench.peers.registry import PEERS
from pinakes.bench.workload import load_workload
from pinakes.errors import SettingsError, StatementTimeout
from pinakes.settings import Settings

ITEMS = 1500
PLAN = Plan(
    workload=load_workload(), items=(ITEMS,), law=Law(tags=300, mean_tags=6), queries=40, rounds=1, cold=3, share_s=1e9
)


def _quiet(*_told: object) -> None:
    """Nothing is shown."""


async def _measure(
    settings: Settings, folder: Path, plan: Plan = PLAN, progress: Callable[[str, int, int], None] = _quiet
) -> dict[str, Any]:
    return await Measurement(settings, plan, folder, _quiet, progress).run()


def _by_name(results: dict[str, Any], scale: int = 0) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in results["scales"][scale]["contestants"]}


async def test_everyone_is_right_and_two_runs_agree_on_every_count(settings: Settings, tmp_path: Path) -> None:
    results = await _measure(settings, tmp_path)
    scale = results["scales"][0]
    present = {one["name"] for one in scale["contestants"]}
    assert present == {*ENGINES, "union", "junction", "matview+count", "tantivy", "duckdb"}
    assert [one["name"] for one in scale["skipped"]] == ["rum"]
    assert (scale["judged_by"], scale["disputed"], scale["wrong_examples"]) == ("the oracle", 0, [])
    for one in scale["contestants"]:
        assert (one["asked"], one["late"], one["wrong"], one["checked"]) == (40, 0, 0, 83)
        assert (one["first"]["n"], one["warm"]["n"], one["cold"]["n"]) == (40, 40, 3)
    assert {one["name"] for one in scale["ratios"]["warm"]} == present - {"index"}
    assert {one["name"] for one in scale["contestants"] if one["warm_stages"]} >= {"index"}
    assert scale["gallery"]["items"] == ITEMS
    totals = [question["total"] for question in scale["questions"]]
    assert len({*totals}) > 10
    assert None not in totals

    # The other run is judged by agreement, and finds the same.
    again = await _measure(settings, tmp_path, dataclasses.replace(PLAN, oracle_items=0))
    assert again["scales"][0]["judged_by"] == "agreement"
    assert again["scales"][0]["questions"] == scale["questions"]
    for one, other in zip(again["scales"][0]["contestants"], scale["contestants"], strict=True):
        for count in ("name", "asked", "late", "wrong", "checked"):
            assert one[count] == other[count]
    for fact in ("items", "taggings", "private_items", "creators", "tags"):
        assert again["scales"][0]["gallery"][fact] == scale["gallery"][fact]


def _broken(how: Callable[[Given], Given], monkeypatch: pytest.MonkeyPatch) -> None:
    """Engine `matview` answers every fifth question otherwise."""
    answer = engine_contestants.EngineContestant.answer

    async def otherwise(self: engine_contestants.EngineContestant, ask: Ask) -> Given:
        given = await answer(self, ask)
        return how(given) if self.name == "matview" and ask.number % 5 == 0 else given

    monkeypatch.setattr(engine_contestants.EngineContestant, "answer", otherwise)


BREAKS: dict[str, Callable[[Given], Given]] = {
    "total": lambda given: Given(given.items, given.total + 1),
    "item": lambda given: Given(given.items[:-1], given.total),
    "order": lambda given: Given(given.items[::-1], given.total),
}


@pytest.mark.parametrize(("how", "oracle"), [("total", False), ("item", True), ("item", False), ("order", True)])
async def test_a_broken_engine_is_caught_as_wrong(
    how: str, oracle: bool, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _broken(BREAKS[how], monkeypatch)
    plan = dataclasses.replace(
        PLAN, items=(300,), peers=(), queries=20, cold=0, oracle_items=ITEMS if oracle else 0,
        workload=dataclasses.replace(load_workload(), kinds={"nothing": 1.0}, places={"first": 1.0}),
    )  # fmt: skip
    results = await _measure(settings, tmp_path, plan)
    found = _by_name(results)
    assert {name: one["wrong"] for name, one in found.items()} == {"index": 0, "base": 0, "matview": 8}
    examples = results["scales"][0]["wrong_examples"]
    assert {example["name"] for example in examples} == {"matview"}
    assert {example["ask"] % 5 for example in examples} == {0}


async def test_two_against_two_is_disputed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _broken(BREAKS["total"], monkeypatch)
    plan = dataclasses.replace(PLAN, items=(300,), engines=("index", "matview"), peers=(), queries=10, oracle_items=0)
    results = await _measure(settings, tmp_path, plan)
    assert results["scales"][0]["disputed"] == 2
    assert not any(one["wrong"] for one in _by_name(results).values())


class Killed(Exception):
    """As if the process had ended."""


@pytest.mark.parametrize("at", ["asking everything once", "round 1 of 1", "asking newly begun processes"])
async def test_an_interrupted_measurement_goes_on_and_asks_nothing_twice(
    at: str, settings: Settings, tmp_path: Path
) -> None:
    plan = dataclasses.replace(PLAN, items=(300,), peers=("matview",), queries=12, cold=4)

    def kill(what: str, done: int, _of: int) -> None:
        if (what, done) == (at, 2):
            raise Killed

    with pytest.raises(Killed):
        await _measure(settings, tmp_path, plan, kill)
    journal = tmp_path / "journal-300.jsonl"
    before = journal.read_text().splitlines()
    with journal.open("a") as file:
        file.write('{"what":"answer","phase":"wa')  # half a line, as a kill leaves it
    results = await _measure(settings, tmp_path, dataclasses.replace(plan, resume=True))
    after = journal.read_text().splitlines()
    assert after[: len(before)] == before
    entries = [orjson.loads(line) for line in after[1:]]
    asked = Counter((e["phase"], e["ask"], e["name"]) for e in entries if e["what"] == "answer")
    assert set(asked.values()) == {1}
    assert len(asked) == 4 * (12 + 12 + 4)
    whole = await _measure(settings, tmp_path, plan)
    assert results["scales"][0]["questions"] == whole["scales"][0]["questions"]


async def test_a_journal_of_something_else_is_not_continued(settings: Settings, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, items=(300,), engines=("index",), peers=(), queries=10, cold=0)
    await _measure(settings, tmp_path, plan)
    with pytest.raises(SettingsError, match="queries differ"):
        await _measure(settings, tmp_path, dataclasses.replace(plan, queries=11, resume=True))


async def test_a_late_answer_is_counted_and_its_share_of_time_ends_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = engine_contestants.EngineContestant.answer

    async def late(self: engine_contestants.EngineContestant, ask: Ask) -> Given:
        if self.name == "base":
            raise StatementTimeout
        return await answer(self, ask)

    monkeypatch.setattr(engine_contestants.EngineContestant, "answer", late)
    plan = dataclasses.replace(PLAN, items=(300,), peers=(), queries=10, share_s=0.0)
    found = _by_name(await _measure(settings, tmp_path, plan))
    assert (found["base"]["asked"], found["base"]["late"], found["base"]["warm"]["n"]) == (1, 1, 0)
    assert (found["index"]["asked"], found["index"]["late"], found["index"]["warm"]["n"]) == (1, 0, 1)


async def test_sizes_grow_one_gallery(settings: Settings, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, items=(300, 700), peers=("tantivy",), queries=10)
    results = await _measure(settings, tmp_path, plan)
    assert [scale["gallery"]["items"] for scale in results["scales"]] == [300, 700]
    for scale in range(2):
        assert not any(one["wrong"] for one in _by_name(results, scale).values())


async def test_a_gallery_of_somebody_else_is_measured_but_never_added_to(settings: Settings, tmp_path: Path) -> None:
    await BenchGallery(settings, tmp_path / "theirs", _quiet).generate(300, PLAN.law, _quiet)
    with pytest.raises(SettingsError, match="was not made by"):
        await _measure(settings, tmp_path / "mine", dataclasses.replace(PLAN, items=(400,)))
    as_is = dataclasses.replace(PLAN, items=(), engines=("index", "base"), peers=(), queries=10)
    results = await _measure(settings, tmp_path / "mine", as_is)
    assert results["scales"][0]["gallery"]["items"] == 300


@pytest.mark.parametrize(
    "change", [{"items": (200,)}, {"law": Law(tags=301, mean_tags=6)}], ids=["smaller", "another law"]
)
async def test_a_gallery_is_only_grown_by_its_own_law(
    change: dict[str, Any], settings: Settings, tmp_path: Path
) -> None:
    await BenchGallery(settings, tmp_path, _quiet).generate(300, PLAN.law, _quiet)
    with pytest.raises(SettingsError, match=r"another law|more than 200"):
        await _measure(settings, tmp_path, dataclasses.replace(PLAN, **{"items": (300,), **change}))


async def test_privacy_and_creators_can_be_chosen(settings: Settings, tmp_path: Path) -> None:
    gallery = BenchGallery(settings, tmp_path, _quiet)
    await gallery.generate(600, Law(tags=300, mean_tags=6, private_share=0.5, creators=7), _quiet)
    size = await gallery.size()
    assert size.creators == 7
    assert 0.4 < size.private_items / size.items < 0.6


def test_every_peer_has_a_name_of_its_own() -> None:
    assert len(set(PEERS)) == len(PEERS) == 6
