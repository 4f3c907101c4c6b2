"""The statements of engine `base`, printed from branches, a walk and compiled conditions.

`driven`  all hits once, then page and total from them (rules drive_by_tag, drive_by_words)
`walked`  every run of every branch ordered and limited, then merged; a driven branch may take part
`count`   how many hits one branch has
"""

from __future__ import annotations

from dataclasses import dataclass

from pinakes.engines.base_plan import BranchPlan
from pinakes.query.sources import Source
from pinakes.store.compiler import Compiler, table_columns
from pinakes.store.keyset import Walk


@dataclass(frozen=True, slots=True)
class Branch:
    """A source that is asked for, and how it is answered."""

    source: Source
    plan: BranchPlan


def _hits(compiler: Compiler, branch: Branch, columns: str) -> str:
    """All hits of a driven branch, as rows of `columns`."""
    source, plan = branch.source, branch.plan
    rest = compiler.condition(plan.formula, table_columns(source))
    if plan.rule == "drive_by_words":
        return f"SELECT {columns} FROM {source.table} AS c WHERE {rest}"
    tags = compiler.bind(list(plan.driver), "integer[]")
    distinct = "DISTINCT " if len(plan.driver) > 1 else ""
    driver = f"SELECT {distinct}t.content_id FROM {source.tags_table} AS t WHERE t.tag_id = ANY ({tags})"
    return f"SELECT {columns} FROM ({driver}) AS d JOIN {source.table} AS c ON c.id = d.content_id WHERE {rest}"


def driven(compiler: Compiler, branches: list[Branch], walk: Walk, limit: int, offset: int) -> str:
    """One row a hit of the page, each with the total; a lone row of nulls when the page is empty."""
    hits = " UNION ALL ".join(
        _hits(compiler, branch, f"c.id, {branch.source.code}::smallint AS source, c.{walk.field} AS key")
        for branch in branches
    )
    return collected(compiler, hits, walk, limit, offset)


def collected(compiler: Compiler, hits: str, walk: Walk, limit: int, offset: int) -> str:
    """Page and total from the rows (id, source, key) of `hits`, read once; answers as `driven`."""
    beyond = "false"
    if walk.start is not None:
        beyond = f"EXISTS (SELECT 1 FROM hits WHERE {walk.opposite().after(compiler)})"
    page = (
        f"SELECT id, source, key FROM hits WHERE {walk.after(compiler)}"
        f" ORDER BY {walk.merged()} LIMIT {int(limit)} OFFSET {int(offset)}"
    )
    return (
        f"WITH hits AS MATERIALIZED ({hits})"
        f" SELECT counted.total, {beyond} AS beyond, page.*"
        f" FROM (SELECT count(*) AS total FROM hits) AS counted LEFT JOIN ({page}) AS page ON true"
        f" ORDER BY {walk.merged('page.key', 'page.id', 'page.source')}"
    )


def walked(compiler: Compiler, branches: list[Branch], walk: Walk, need: int, offset: int) -> str:
    """The rows offset … need of the merged order; every run gives at most `need` rows to the merge."""
    runs = []
    for branch in branches:
        source = branch.source
        columns = table_columns(source)
        if branch.plan.rule == "walk_order":
            keep = compiler.condition(branch.plan.formula, columns, probe=True)
            relation = f"{source.table} AS c"
        else:
            keep = "true"
            relation = f"({_hits(compiler, branch, f'c.id, c.{walk.field}')} OFFSET 0) AS c"
        runs += [
            f"(SELECT c.id, {source.code}::smallint AS source, c.{walk.field} AS key FROM {relation}"
            f" WHERE {run.condition} AND {keep} ORDER BY {run.order_by} LIMIT {int(need)})"
            for run in walk.runs(compiler, columns, source.code)
        ]
    merged = " UNION ALL ".join(runs)
    return f"SELECT id, source, key FROM ({merged}) AS m ORDER BY {walk.merged()} LIMIT {need - offset} OFFSET {offset}"


def count(compiler: Compiler, branch: Branch) -> str:
    """How many hits a branch has."""
    if branch.plan.rule != "walk_order":
        return f"SELECT count(*) FROM ({_hits(compiler, branch, 'c.id')}) AS hits"
    keep = compiler.condition(branch.plan.formula, table_columns(branch.source))
    return f"SELECT count(*) FROM {branch.source.table} AS c WHERE {keep}"
