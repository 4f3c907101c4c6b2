"""Write cost and refreshes: measured in every way, the gallery unchanged by it, the law fitted; and the report."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench.test_bench_measure import PLAN, _measure
from pinakes.bench import following, writes
from pinakes.bench.refreshes import fit, projection
from pinakes.bench.report.html import merged, report
from pinakes.bench.writes import PIECES, WAYS
from pinakes.settings import Settings
from pinakes.store.pool import Pool


async def _state(pool: Pool) -> Any:
    row = await pool.fetchrow("""
        SELECT (SELECT count(*) FROM content_items) + (SELECT count(*) FROM content_items_auto) AS items,
               (SELECT count(*) FROM content_tags) AS taggings,
               (SELECT sum(hashtextextended(t::text, 0)) FROM content_tags AS t) AS digest,
               (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D') AS disabled
    """)
    return dict(row or {})


async def test_every_way_is_measured_and_the_gallery_is_as_it_was(
    settings: Settings, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "ROUNDS", 1)
    monkeypatch.setattr(following, "SECONDS", 0.5)
    monkeypatch.setattr(following, "WARM_S", 0.2)
    monkeypatch.setattr(following, "BATCHES", (7, 1000))
    quiet = dataclasses.replace(PLAN, items=(300,), engines=("index",), peers=(), queries=4, cold=0)
    await _measure(settings, tmp_path, quiet)
    before = await _state(pool)
    plan = dataclasses.replace(quiet, writes=12, rate=40, burst=50, refreshes=True)
    results = await _measure(settings, tmp_path, plan)
    assert await _state(pool) == before
    assert before["disabled"] == 0
    scale = results["scales"][0]
    assert [one["way"] for one in scale["writes"]] == list(WAYS)
    for one in scale["writes"]:
        for piece in PIECES:
            assert one[piece]["n"] == one["count"] == 12
            assert one[piece]["per_second"] > 0
            assert one[piece]["log_bytes"] > 0
        assert ("visible_ms" in one) == one["way"].startswith("incremental")
        if "visible_ms" in one:
            # Those of the warm-up are not among them.
            assert (one["visible_ms"]["rate"], one["visible_ms"]["n"]) == (40, 20)
            assert 0 < one["visible_ms"]["p50"] <= one["visible_ms"]["p99"]
            assert one["visible_ms"]["per_second"] > 0
    assert [(one["index"], one["batch"]) for one in scale["bursts"]] == [
        (False, 7), (False, 1000), (True, 7), (True, 1000),
    ]  # fmt: skip
    for one in scale["bursts"]:
        assert 40 <= one["items"] <= 50
        assert one["seconds"] > 0
        assert one["per_second"] > 0
    # The log is the whole server's, other databases' writes included: which way logs more shows only over many writes.
    for name in ("refresh", "epoch"):
        assert len(scale["refreshes"][name]["seconds"]) == 3
        assert scale["refreshes"][name]["median_seconds"] > 0
    # Nothing is measured twice when it is resumed.
    again = await _measure(settings, tmp_path, dataclasses.replace(plan, resume=True))
    assert again["scales"][0]["writes"] == scale["writes"]
    assert again["scales"][0]["bursts"] == scale["bursts"]
    assert again["scales"][0]["refreshes"] == scale["refreshes"]


async def test_a_steady_rate_counts_from_the_commit_and_leaves_the_gallery_as_it_was(
    settings: Settings, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a read model nobody keeps no item is ever seen, and that is what is told."""
    monkeypatch.setattr(following, "SECONDS", 0.3)
    monkeypatch.setattr(following, "WARM_S", 0.1)
    monkeypatch.setattr(following, "_LATE_S", 0.2)
    await _measure(settings, tmp_path, dataclasses.replace(PLAN, engines=("index",), peers=(), queries=2, cold=0))
    before = await _state(pool)

    async def settled(_pool: Pool) -> None:
        """Nobody would ever settle it."""

    monkeypatch.setattr(following, "settle", settled)
    found = await following.steady(settings, 50, 1)
    assert (found["n"], found["p50"], found["max"]) == (15, 200.0, 200.0)
    assert await _state(pool) == before


def test_a_line_is_found_and_carried_on() -> None:
    law = fit([(n, 0.5 + 3e-5 * n) for n in (1000, 10_000, 100_000)])
    assert law is not None
    assert law.fixed == pytest.approx(0.5)
    assert law.per_item == pytest.approx(3e-5)
    assert law.residual == pytest.approx(0, abs=1e-9)
    assert law.at(10_000_000) == pytest.approx(300.5)
    assert fit([(1000, 1.0), (1000, 2.0)]) is None


def test_more_items_never_take_less_time() -> None:
    falling = fit([(1000, 2.0), (2000, 1.0)])
    assert falling is not None
    assert falling.per_item == 0
    assert 1.0 < falling.fixed < 2.0
    steep = fit([(1000, 0.1), (2000, 4.0)])
    assert steep is not None
    assert steep.fixed == 0
    assert steep.per_item > 0


def _scale(items: int, seconds: float) -> dict[str, Any]:
    figures = {"changes": 1000, "build_seconds": 1.0, "seconds": [seconds] * 3, "median_seconds": seconds}
    return {"gallery": {"items": items}, "refreshes": {"refresh": figures, "epoch": figures}}


def test_a_projection_needs_two_sizes() -> None:
    assert projection([_scale(1000, 1.0)]) == {}
    found = projection([_scale(1000, 1.0), _scale(10_000, 10.0)])
    assert found["refresh"]["per_item_us"] == pytest.approx(1000)
    assert found["refresh"]["seconds_at"]["10000000"] == pytest.approx(10_000)


class Page(HTMLParser):
    """What stands in a page, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.svgs = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [value for value in [values.get("id")] if value]
        self.fetched += [value for name in ("src", "href") if (value := values.get(name)) and not value.startswith("#")]
        self.svgs += tag == "svg"
        if tag not in {"meta", "br", "link", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_the_report_stands_by_itself(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "ROUNDS", 1)
    plan = dataclasses.replace(
        PLAN, items=(300, 500), engines=("index", "base"), peers=("rum",), queries=10, cold=1, refreshes=True
    )
    results = orjson.loads(orjson.dumps(await _measure(settings, tmp_path, plan)))
    text = report([results])
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.fetched == []
    assert "<script" not in text
    assert len(page.ids) == len(set(page.ids))
    # Distribution, kinds and places of two sizes; sizes on disk, latencies and refreshes over scale.
    assert page.svgs == 2 * 3 + 3
    assert "rum is left out" in text
    assert results["machine"]["cpu"].replace("(", "") in text.replace("(", "")
    assert re.search(r"300 items</h2>.*500 items</h2>", text, re.DOTALL)


async def test_results_of_several_runs_are_shown_over_scale(settings: Settings, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, engines=("index",), peers=(), queries=5, cold=1)
    one = await _measure(settings, tmp_path, dataclasses.replace(plan, items=(300,)))
    other = await _measure(settings, tmp_path, dataclasses.replace(plan, items=(400,)))
    whole = merged([other, one])
    assert [scale["gallery"]["items"] for scale in whole["scales"]] == [300, 400]
    assert [scale["about"]["began"] for scale in whole["scales"]] == [one["began"], other["began"]]
