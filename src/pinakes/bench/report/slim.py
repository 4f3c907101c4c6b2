"""The results of slim galleries side by side, a column a measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pinakes.bench.report.grids import Grid

_Cell = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], str]


def grid(results: Sequence[dict[str, Any]]) -> Grid:
    """One row a figure; of measurements that are finished."""
    columns = ("", *(f"{one['plan']['items'] / 1e6:,.0f} million" for one in results))
    rows = tuple((name, *(cell(*(one[step] for step in _STEPS)) for one in results)) for name, cell in _ROWS)
    return Grid("slim", "milliseconds are of the process, without HTTP", columns, rows)


_STEPS = ("filled", "built", "measured")

_ROWS: tuple[tuple[str, _Cell], ...] = (
    ("rows", lambda filled, _b, _m: f"{filled['seconds']['rows']:,.0f} s, {filled['rows_a_second']:,} a second"),
    ("keys and vacuum", lambda filled, _b, _m: f"{filled['seconds']['keys'] + filled['seconds']['vacuum']:,.0f} s"),
    ("index", lambda _f, built, _m: f"{built['seconds']:,.0f} s, {built['items_a_second']:,} items a second"),
    ("load while filling, building", lambda filled, built, _m: f"{_load(filled)}, {_load(built)}"),
    ("memory of building, all processes", lambda _f, built, _m: _bytes(built["processes_peak_mb"] * 1e6)),
    ("rows and keys on disk", lambda _f, built, _m: _bytes(built["bytes"]["rows"] + built["bytes"]["keys"])),
    ("index on disk", lambda _f, built, _m: _bytes(built["bytes"]["segments"])),
    (
        "bytes of index an item; a tagging, tags alone",
        lambda _f, built, _m: f"{built['bytes_an_item']:.1f}; {built['bytes_a_tagging']:.2f}",
    ),
    ("`index-memory`", lambda _f, _b, measured: _bytes(measured["index_memory_mb"] * 1e6)),
    ("memory of the worker at most", lambda _f, _b, measured: _bytes(measured["worker_mb"]["most"] * 1e6)),
    ("questions, wrong", lambda _f, _b, measured: f"{measured['judged']}, {measured['wrong']}"),
    ("totals counted, equal", lambda _f, _b, measured: _equal(measured["scans"])),
    ("asked the first time p50, p99", lambda _f, _b, measured: _ms(measured["first"], "p50", "p99")),
    ("warm p50, p95, p99", lambda _f, _b, measured: _ms(measured["warm"], "p50", "p95", "p99")),
    ("of that, evaluating", lambda _f, _b, measured: _ms(measured["warm_stages"]["evaluate"], "p50", "p95", "p99")),
    (
        "warm, a page at random",
        lambda _f, _b, measured: _ms(measured["warm_by"]["place"]["random"], "p50", "p95", "p99"),
    ),
    ("a new process p50, p99", lambda _f, _b, measured: _ms(measured["cold"], "p50", "p99")),
    ("load while measuring", lambda _f, _b, measured: _load(measured)),
    ("counting one total by reading everything", lambda _f, _b, measured: _scans(measured["scans"])),
)


def _load(step: dict[str, Any]) -> str:
    return str(step["load"]["median"])


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def _ms(found: dict[str, float], *names: str) -> str:
    shown = (f"{found[name]:,.0f}" if found[name] >= 100 else f"{found[name]:.1f}" for name in names)
    return ", ".join(shown)


def _equal(scans: Sequence[dict[str, Any]]) -> str:
    return f"{len(scans)}, {sum(scan['total'] == scan['counted'] for scan in scans)}"


def _scans(scans: Sequence[dict[str, Any]]) -> str:
    seconds = sorted(scan["seconds"] for scan in scans)
    return f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
