"""The results as Markdown, for pages and wikis; the tables of docs/benchmarks.md are written with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pinakes.bench.report.grids import WRONG, Grid, about, grids, notes, projected
from pinakes.bench.report.html import merged


def markdown(results: Sequence[dict[str, Any]], only: Sequence[str] = ()) -> str:
    """For each result what was measured on what, then for each size its tables; at the end what they project.

    `only` names the parts wanted, as in `Grid.about`; empty: all.
    """
    return "\n\n".join(
        [*_parts(results, only), *(f"Projected, {line}." for line in projected(merged(results)["projection"]))]
    )


def _parts(results: Sequence[dict[str, Any]], only: Sequence[str]) -> Iterator[str]:
    for result in results:
        machine = result["machine"]
        yield (
            f"Measured {result['began'][:10]} at revision `{result['revision']}` on {machine['cores']} cores of "
            f"{machine['cpu']} with {machine['memory_gb']} GB, PostgreSQL {_postgresql(result)}."
        )
        for scale in result["scales"]:
            yield f"**{about(scale, result)}**"
            for grid in grids(scale):
                if only and grid.about not in only:
                    continue
                yield captioned(grid)
            for note in notes(scale) if not only or "latencies" in only else ():
                yield f"{_marked(note)}."


def captioned(grid: Grid, *, names: bool = True) -> str:
    """The table and below it what its figures are."""
    return f"{table(grid, names=names)}\n\n{grid.caption[:1].upper()}{grid.caption[1:]}."


def table(grid: Grid, *, names: bool = True) -> str:
    """One table; what is wrong is bold. `names`: whether the first column holds names."""
    lines = [_row(grid.columns), "|" + "---|" * len(grid.columns)]
    lines += [_row((f"`{row[0]}`" if names and row[0] else row[0], *row[1:])) for row in grid.rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_marked(cell).replace('|', ' or ') for cell in cells)} |".replace("|  |", "| |")


def _marked(text: str) -> str:
    return f"**{text.removeprefix(WRONG)}**" if text.startswith(WRONG) else text


def _postgresql(result: dict[str, Any]) -> str:
    return str(result["postgresql"].get("server_version", "?")).split()[0]
