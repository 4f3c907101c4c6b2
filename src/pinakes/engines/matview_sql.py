"""The statements of engine `matview`, printed from a walk and a compiled condition on one relation."""

from __future__ import annotations

from pinakes.query.formula import Formula
from pinakes.store.compiler import VIEW_COLUMNS, Compiler
from pinakes.store.keyset import Walk
from pinakes.view.definition import NAME


def hits(compiler: Compiler, walk: Walk, formula: Formula, condition: str = "true") -> str:
    """All hits, as rows (id, source, key)."""
    condition = f"{compiler.condition(formula, VIEW_COLUMNS)} AND {condition}"
    return f"SELECT c.id, c.source_type AS source, c.{walk.field} AS key FROM {NAME} AS c WHERE {condition}"


def walked(compiler: Compiler, walk: Walk, formula: Formula, limit: int, offset: int) -> str:
    """The page from each run of the order, one after the other."""
    runs = [
        f"({hits(compiler, walk, formula, run.condition)} ORDER BY {run.order_by} LIMIT {int(limit + offset)})"
        for run in walk.runs(compiler, VIEW_COLUMNS, None)
    ]
    merged = " UNION ALL ".join(runs)
    return f"SELECT * FROM ({merged}) AS merged ORDER BY {walk.merged()} LIMIT {int(limit)} OFFSET {int(offset)}"


def count(compiler: Compiler, formula: Formula) -> str:
    """How many hits there are."""
    return f"SELECT count(*) FROM {NAME} AS c WHERE {compiler.condition(formula, VIEW_COLUMNS)}"
