"""The plots of a report, each an SVG text to stand in a page; drawn by matplotlib (extra `bench`).

Every contestant has one colour throughout; engines are drawn solid, peers dashed. Times are on
logarithmic axes, since contestants lie powers of ten apart.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Okabe and Ito's colours, told apart also by those who see few; sand for a ninth.
_COLOURS = {
    "index": "#d55e00", "matview": "#0072b2", "base": "#009e73", "union": "#8a6d3b", "junction": "#56b4e9",
    "matview+count": "#cc79a7", "rum": "#b8a800", "tantivy": "#000000", "duckdb": "#e69f00",
}  # fmt: skip
_PARTS = ("items", "taggings", "read model", "bitmap index")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e2dc",
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def distribution(scale: dict[str, Any]) -> str:
    """The share of warm answers given within a time, for each contestant."""
    with _figure(f"distribution {scale['gallery']['items']}", (9, 4.6)) as (figure, svg):
        axes = figure.subplots()
        for one in _with(scale, "warm_ms"):
            times = np.asarray(one["warm_ms"])
            axes.step(times, np.arange(1, len(times) + 1) / len(times) * 100, where="post", **_line(one))
        axes.set_xscale("log")
        axes.set_xlabel("milliseconds, warm")
        axes.set_ylabel("answers given within it, %")
        axes.xaxis.set_major_formatter(_plain())
        _legend(axes)
    return svg.text


def over_scale(scales: Sequence[dict[str, Any]]) -> str:
    """Median and p99 over the number of items."""
    with _figure("over scale", (9, 4.6)) as (figure, svg):
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, name in ((left, "p50"), (right, "p99")):
            for contestant in _names(scales):
                points = [
                    (scale["gallery"]["items"], one["warm"][name])
                    for scale in scales
                    for one in scale["contestants"]
                    if one["name"] == contestant["name"] and one["warm"]["n"]
                ]
                if points:
                    axes.plot(*zip(*points, strict=True), marker="o", markersize=4, **_line(contestant))
            axes.set(xscale="log", yscale="log", xlabel="items", title=f"{name}, warm")
            axes.xaxis.set_major_formatter(_thousands())
            axes.yaxis.set_major_formatter(_plain())
        left.set_ylabel("milliseconds")
        _legend(right)
    return svg.text


def by_kind(scale: dict[str, Any], part: str = "kind") -> str:
    """The warm median of every contestant for every kind of question, as a table of colours."""
    present = list(_with(scale, "warm_ms"))
    kinds = sorted({kind for one in present for kind in one["warm_by"][part]})
    values = np.array([[one["warm_by"][part].get(kind, {}).get("p50", np.nan) for kind in kinds] for one in present])
    with _figure(f"by {part} {scale['gallery']['items']}", (9, 0.9 + 0.42 * len(present))) as (figure, svg):
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.imshow(np.log10(values), aspect="auto", cmap="YlOrRd", alpha=0.85)
        axes.set_xticks(range(len(kinds)), kinds, rotation=20, ha="right")
        axes.set_yticks(range(len(present)), [_label(one) for one in present])
        low, high = np.nanmin(np.log10(values)), np.nanmax(np.log10(values))
        for row, column in np.ndindex(values.shape):
            value = float(values[row, column])
            dark = (np.log10(value) - low) / max(high - low, 1e-9) > 0.7
            colour = "white" if dark else "black"
            axes.text(column, row, _number(value), ha="center", va="center", color=colour, fontsize=9)
    return svg.text


def sizes(scales: Sequence[dict[str, Any]]) -> str:
    """Bytes on disk an item: what every gallery has, and what each peer adds."""
    scale = scales[-1]
    items = scale["gallery"]["items"]
    bars = [(part, scale["gallery"]["bytes"].get(part, 0), "#777777") for part in _PARTS]
    bars += [
        (f"{one['name']}'s own", one["prepared"]["bytes"], _colour(one["name"]))
        for one in scale["contestants"]
        if one["prepared"]["bytes"]
    ]
    bars = [(name, size / items, colour) for name, size, colour in bars if size]
    with _figure("sizes", (9, 0.9 + 0.36 * len(bars))) as (figure, svg):
        axes = figure.subplots()
        shown = axes.barh([b[0] for b in bars], [b[1] for b in bars], color=[b[2] for b in bars], height=0.62)
        axes.bar_label(shown, [f"{b[1]:,.0f}" for b in bars], padding=4)
        axes.invert_yaxis()
        axes.set_xlabel("bytes an item")
        axes.grid(visible=False, axis="y")
    return svg.text


def write_rates(scale: dict[str, Any]) -> str:
    """Single writes a second, in every way."""
    writes = scale["writes"]
    pieces = ("insert", "tag change", "delete")
    with _figure(f"writes {scale['gallery']['items']}", (9, 0.9 + 0.62 * len(writes))) as (figure, svg):
        axes = figure.subplots()
        for place, (piece, colour) in enumerate(zip(pieces, ("#0072b2", "#e69f00", "#777777"), strict=True)):
            rates = [one[piece]["per_second"] for one in writes]
            rows = [row + (place - 1) * 0.26 for row in range(len(writes))]
            shown = axes.barh(rows, rates, height=0.24, color=colour, label=piece)
            axes.bar_label(shown, [f"{rate:,.0f}" for rate in rates], padding=3, fontsize=8)
        axes.set_yticks(range(len(writes)), [one["way"] for one in writes])
        axes.invert_yaxis()
        axes.set_xlabel("writes a second")
        axes.grid(visible=False, axis="y")
        _legend(axes)
    return svg.text


def refresh_curve(scales: Sequence[dict[str, Any]], projected: dict[str, Any]) -> str:
    """Seconds to bring changes into the read model over the number of items, with the fitted law carried on."""
    with _figure("refreshes", (9, 4.2)) as (figure, svg):
        axes = figure.subplots()
        for name, colour, label in (("refresh", "#0072b2", "whole refresh"), ("epoch", "#d55e00", "changed rows only")):
            measured = [scale for scale in scales if "refreshes" in scale]
            points = [(s["gallery"]["items"], seconds) for s in measured for seconds in s["refreshes"][name]["seconds"]]
            x, y = zip(*points, strict=True)
            axes.plot(x, y, linestyle="", marker="o", markersize=4, color=colour, label=label)
            if name in projected:
                law = projected[name]
                along = np.geomspace(min(x), 5e7, 50)
                axes.plot(
                    along,
                    law["fixed_s"] + law["per_item_us"] * 1e-6 * along,
                    linestyle="--",
                    linewidth=1.2,
                    color=colour,
                )
                for items, seconds in law["seconds_at"].items():
                    axes.annotate(f"{seconds:,.1f} s", (int(items), seconds), fontsize=8, ha="right", va="bottom")
        axes.set(xscale="log", yscale="log", xlabel="items", ylabel="seconds")
        axes.xaxis.set_major_formatter(_thousands())
        axes.yaxis.set_major_formatter(_plain())
        _legend(axes)
    return svg.text


def _with(scale: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    return (one for one in scale["contestants"] if one[name])


def _names(scales: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every contestant of any size, once."""
    found = {one["name"]: one for scale in scales for one in scale["contestants"]}
    return sorted(found.values(), key=lambda one: list(_COLOURS).index(one["name"]) if one["name"] in _COLOURS else 99)


def _colour(name: str) -> str:
    return _COLOURS.get(name, "#999999")


def _label(one: dict[str, Any]) -> str:
    return one["name"] if one["kind"] == "engine" else f"{one['name']} (peer)"


def _line(one: dict[str, Any]) -> dict[str, Any]:
    engine = one["kind"] == "engine"
    return {
        "color": _colour(one["name"]),
        "linestyle": "-" if engine else "--",
        "linewidth": 2.4 if one["name"] == "index" else 1.6,
        "label": _label(one),
    }


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _plain() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:,g}")


def _thousands() -> FuncFormatter:
    def told(value: float, _place: int | None) -> str:
        if value >= 1e6:
            return f"{value / 1e6:g} M"
        return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"

    return FuncFormatter(told)


def _legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


class _Svg:
    """Filled when the figure is finished."""

    text = ""


@contextmanager
def _figure(name: str, size: tuple[float, float]) -> Iterator[tuple[Figure, _Svg]]:
    """A figure that becomes an SVG element; `name` keeps its ids apart from other plots on the page."""
    svg = _Svg()
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        yield figure, svg
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    inner = out.getvalue()[out.getvalue().index("<svg") :]
    # matplotlib numbers its groups from 1 in every figure; markers and clips, which are referred to, it salts.
    mark = re.sub(r"\W", "-", name)
    svg.text = re.sub(r'\bid="(?![mp][0-9a-f]{6,}")([\w.-]+)"', rf'id="{mark}-\1"', inner)
