"""The results of a measurement as tables of text, the same for terminal and pages.

A `Grid` is one table: first column names, the others figures that are already written out. What is wrong
stands with a `!` before it, so that whoever shows the table can point at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NONE = "–"
WRONG = "!"


@dataclass(frozen=True, slots=True)
class Grid:
    """One table; `caption` says what its figures are, `about` which part of the measurement they are."""

    about: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def about(scale: dict[str, Any], results: dict[str, Any]) -> str:
    """What was measured, in one line; of several `results` merged, each size knows its own load."""
    gallery, result = scale["gallery"], scale.get("about", results)
    load = result["load"]
    busy = f"load {load['median']} ({load['least']} to {load['most']})" if load else "load unknown"
    return (
        f"{gallery['items']:,} items, {gallery['taggings']:,} taggings, {gallery['tags']:,} tags; "
        f"{len(scale['questions'])} questions, checked by {scale['judged_by']}; "
        f"{busy} on {result['machine']['cores']} cores"
    )


def grids(scale: dict[str, Any]) -> Iterator[Grid]:
    """The tables of one size, in the order of reading."""
    yield _latencies(scale["contestants"])
    if scale["ratios"]["warm"]:
        yield _ratios(scale["ratios"])
    yield _kinds(scale["contestants"])
    yield _sizes(scale["gallery"])
    if "writes" in scale:
        yield _writes(scale["writes"])
    if "bursts" in scale:
        yield _bursts(scale["bursts"])
    if "refreshes" in scale:
        yield _refreshes(scale["refreshes"])


def notes(scale: dict[str, Any]) -> Iterator[str]:
    """What a reader must know beside the tables: who was left out or wrong."""
    for one in scale["skipped"]:
        yield f"{one['name']} is left out: {one['reason']}"
    if scale["disputed"]:
        yield f"{scale['disputed']} questions where no answer had most voices: nobody can say who is right"
    for fault in scale["wrong_examples"]:
        yield f"{WRONG}{fault['name']} is wrong: {fault['reason']}; question {fault['ask']}: {fault['question']}"


def projected(projection: dict[str, Any]) -> Iterator[str]:
    """A line for each way the read model is kept: the law, and what it says about larger galleries."""
    for name, law in projection.items():
        at = ", ".join(f"{float(s):,.0f} s at {int(items):,}" for items, s in law["seconds_at"].items())
        line = f"{law['fixed_s']:.2f} s and {law['per_item_us']:.2f} µs an item, off by {law['residual']:.0%}"
        yield f"{name}: {line}; {at} items"


def _latencies(contestants: list[dict[str, Any]]) -> Grid:
    columns = ("", "warm p50", "p95", "p99", "max", "cold p50", "cold p99", "asked", "late", "wrong", "own MB")
    rows = []
    for one in contestants:
        warm, cold = one["warm"], one["cold"]
        name = one["name"] if one["kind"] == "engine" else f"{one['name']} (peer)"
        wrong = f"{WRONG}{one['wrong']}" if one["wrong"] else "0"
        cells = [*(_ms(warm, p) for p in ("p50", "p95", "p99", "max")), _ms(cold, "p50"), _ms(cold, "p99")]
        own = f"{one['prepared']['bytes'] / 1e6:,.0f}"
        rows.append((name, *cells, str(one["asked"]), str(one["late"]), wrong, own))
    return Grid("latencies", "milliseconds; page of whole rows and exact total", columns, tuple(rows))


def _ratios(ratios: dict[str, Any]) -> Grid:
    caption = f"how many times longer than {ratios['to']}, warm, on the questions both were asked"
    columns = ("", "at p50", "at p99", "typical question", "questions", "faster on")
    rows = []
    for one in ratios["warm"]:
        cells = [f"{one[part]:,.1f}" for part in ("p50", "p99", "median_of_questions")]
        rows.append((one["name"], *cells, str(one["questions"]), str(one["faster_on"])))
    return Grid("ratios", caption, columns, tuple(rows))


def _kinds(contestants: list[dict[str, Any]]) -> Grid:
    kinds = sorted({kind for one in contestants for kind in one["warm_by"]["kind"]})
    rows = []
    for kind in kinds:
        found = [one["warm_by"]["kind"].get(kind, {}) for one in contestants]
        rows.append((kind, *(f"{_ms(one, 'p50')} / {_ms(one, 'p99')}" if one else _NONE for one in found)))
    caption = "milliseconds, warm, p50 / p99 by kind of question; who had no time for all answered some of them"
    return Grid("kinds", caption, ("", *(one["name"] for one in contestants)), tuple(rows))


def _sizes(gallery: dict[str, Any]) -> Grid:
    items = max(gallery["items"], 1)
    rows = ((name, f"{size / 1e6:,.0f}", f"{size / items:,.0f}") for name, size in sorted(gallery["bytes"].items()))
    return Grid("sizes", "on disk, with their indexes", ("", "MB", "bytes an item"), tuple(rows))


def _writes(writes: list[dict[str, Any]]) -> Grid:
    first = writes[0]
    seen_at = {one["visible_ms"]["per_second"] for one in writes if "per_second" in one.get("visible_ms", {})}
    rates = [f"{rate:,.0f}" for rate in sorted(seen_at)]
    caption = f"single writes a second by {first['writers']} writers, bytes of log for each; milliseconds to visible"
    if rates:
        caption += f" at {' and '.join(rates)} a second"
    columns = ("", "insert/s", "log B", "tag change/s", "log B", "delete/s", "log B", "visible p50", "p99")
    rows = []
    for one in writes:
        cells = []
        for piece in ("insert", "tag change", "delete"):
            cells += [f"{one[piece]['per_second']:,.0f}", f"{one[piece]['log_bytes']:,.0f}"]
        seen = one.get("visible_ms", {})
        rows.append((one["way"], *cells, _ms(seen, "p50"), _ms(seen, "p99")))
    return Grid("writes", caption, columns, tuple(rows))


def _bursts(bursts: list[dict[str, Any]]) -> Grid:
    rows = []
    for batch in sorted({one["batch"] for one in bursts}):
        rates = {one["index"]: one["per_second"] for one in bursts if one["batch"] == batch}
        rows.append((f"{batch:,}", f"{rates[False]:,.0f}", f"{rates[True]:,.0f}"))
    caption = f"changes a second until {bursts[0]['items']:,} made at once are visible"
    return Grid("bursts", caption, ("changes an epoch", "read model", "with the index"), tuple(rows))


def _refreshes(refreshes: dict[str, Any]) -> Grid:
    rows = []
    for name, one in refreshes.items():
        shown = "REFRESH … CONCURRENTLY" if name == "refresh" else "epoch, changed rows only"
        each = ", ".join(f"{seconds:.2f}" for seconds in one["seconds"])
        cells = (f"{one['changes']:,}", each, f"{one['median_seconds']:.2f}", f"{one['build_seconds']:.1f}")
        rows.append((shown, *cells))
    caption = "seconds to bring scattered changes into the read model"
    return Grid("refreshes", caption, ("", "changes", "each time s", "median s", "whole build s"), tuple(rows))


def _ms(found: dict[str, float], name: str) -> str:
    return milliseconds(found.get(name))


def milliseconds(value: float | None) -> str:
    """As a table shows them: three digits, whole ones from a hundred on."""
    if value is None:
        return _NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
