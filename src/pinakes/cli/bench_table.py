"""The results of `pinakes bench` as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from pinakes.bench.report.grids import WRONG, Grid, about, grids, notes, projected


def tables(results: dict[str, Any]) -> Iterator[RenderableType]:
    """For each size: latencies, ratios, sizes, and who was wrong or left out."""
    for scale in results["scales"]:
        yield f"\n{about(scale, results)}"
        for grid in grids(scale):
            yield _table(grid)
        for note in notes(scale):
            yield _marked(note)
    yield from projected(results["projection"])


def _table(grid: Grid) -> Table:
    table = Table(caption=grid.caption, caption_justify="left")
    for place, name in enumerate(grid.columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=not place)
    for row in grid.rows:
        table.add_row(*map(_marked, row))
    return table


def _marked(text: str) -> str:
    return f"[bold red]{escape(text.removeprefix(WRONG))}[/]" if text.startswith(WRONG) else escape(text)
