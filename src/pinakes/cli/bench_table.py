"""The results of `pinakes bench` as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table


def tables(results: dict[str, Any]) -> Iterator[RenderableType]:
    """For each size: latencies, ratios, and who was wrong or left out."""
    for scale in results["scales"]:
        gallery = scale["gallery"]
        yield (
            f"\n{gallery['items']:,} items, {gallery['taggings']:,} taggings, {gallery['tags']:,} tags; "
            f"{len(scale['questions'])} questions, checked by {scale['judged_by']}; "
            f"load {results['load'].get('median', '?')} on {results['machine']['cores']} cores"
        )
        yield _latencies(scale)
        if scale["ratios"]["warm"]:
            yield _ratios(scale["ratios"])
        if "writes" in scale:
            yield _writes(scale["writes"])
        if "bursts" in scale:
            yield _bursts(scale["bursts"])
        if "refreshes" in scale:
            yield _refreshes(scale["refreshes"])
        yield from _notes(scale)
    for name, law in results["projection"].items():
        at = ", ".join(f"{float(s):,.0f} s at {int(items):,}" for items, s in law["seconds_at"].items())
        line = f"{law['fixed_s']:.2f} s and {law['per_item_us']:.2f} µs an item, off by {law['residual']:.0%}"
        yield f"{name}: {line}; {at} items"


def _latencies(scale: dict[str, Any]) -> Table:
    table = Table(caption="milliseconds; page of whole rows and exact total", caption_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("warm p50", "p95", "p99", "max", "cold p50", "cold p99", "asked", "late", "wrong", "own MB"):
        table.add_column(name, justify="right")
    for one in scale["contestants"]:
        warm, cold = one["warm"], one["cold"]
        name = one["name"] if one["kind"] == "engine" else f"{one['name']} (peer)"
        wrong = f"[bold red]{one['wrong']}[/]" if one["wrong"] else "0"
        table.add_row(
            name, *(_ms(warm, p) for p in ("p50", "p95", "p99", "max")), _ms(cold, "p50"), _ms(cold, "p99"),
            str(one["asked"]), str(one["late"]), wrong, f"{one['prepared']['bytes'] / 1e6:,.0f}",
        )  # fmt: skip
    return table


def _ratios(ratios: dict[str, Any]) -> Table:
    table = Table(
        caption=f"how many times longer than {ratios['to']}, warm, on the questions both were asked",
        caption_justify="left",
    )
    for name in ("", "at p50", "at p99", "typical question", "questions", "faster on"):
        table.add_column(name, justify="left" if not name else "right")
    for one in ratios["warm"]:
        table.add_row(
            one["name"], f"{one['p50']:,.1f}", f"{one['p99']:,.1f}", f"{one['median_of_questions']:,.1f}",
            str(one["questions"]), str(one["faster_on"]),
        )  # fmt: skip
    return table


def _writes(writes: list[dict[str, Any]]) -> Table:
    first = writes[0]
    rates = [f"{one['visible_ms']['per_second']:,.0f}" for one in writes if "visible_ms" in one]
    table = Table(
        caption=f"single writes a second by {first['writers']} writers, bytes of log for each; "
        f"milliseconds to visible at {' and '.join(rates)} a second",
        caption_justify="left",
    )
    for name in ("", "insert/s", "log B", "tag change/s", "log B", "delete/s", "log B", "visible p50", "p99"):
        table.add_column(name, justify="left" if not name else "right")
    for one in writes:
        cells = []
        for piece in ("insert", "tag change", "delete"):
            cells += [f"{one[piece]['per_second']:,.0f}", f"{one[piece]['log_bytes']:,.0f}"]
        seen = one.get("visible_ms", {})
        table.add_row(one["way"], *cells, _ms(seen, "p50"), _ms(seen, "p99"))
    return table


def _bursts(bursts: list[dict[str, Any]]) -> Table:
    table = Table(
        caption=f"changes a second until {bursts[0]['items']:,} made at once are visible", caption_justify="left"
    )
    for name in ("changes an epoch", "read model", "with the index"):
        table.add_column(name, justify="right")
    for batch in sorted({one["batch"] for one in bursts}):
        rates = {one["index"]: one["per_second"] for one in bursts if one["batch"] == batch}
        table.add_row(f"{batch:,}", f"{rates[False]:,.0f}", f"{rates[True]:,.0f}")
    return table


def _refreshes(refreshes: dict[str, Any]) -> Table:
    table = Table(caption="seconds to bring scattered changes into the read model", caption_justify="left")
    for name in ("", "changes", "median s", "whole build s"):
        table.add_column(name, justify="left" if not name else "right")
    for name, one in refreshes.items():
        shown = "REFRESH … CONCURRENTLY" if name == "refresh" else "epoch, changed rows only"
        table.add_row(shown, f"{one['changes']:,}", f"{one['median_seconds']:.3f}", f"{one['build_seconds']:.1f}")
    return table


def _notes(scale: dict[str, Any]) -> Iterator[str]:
    for one in scale["skipped"]:
        yield f"{one['name']} is left out: {one['reason']}"
    if scale["disputed"]:
        yield f"{scale['disputed']} questions where no answer had most voices: nobody can say who is right"
    for fault in scale["wrong_examples"]:
        yield f"[bold red]WRONG[/] {fault['name']}: {fault['reason']}; question {fault['ask']}: {fault['question']}"


def _ms(found: dict[str, float], name: str) -> str:
    value = found.get(name)
    return "–" if value is None else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
