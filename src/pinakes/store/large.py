"""SELECT expressions for the columns whose values may be large, after the rules of `pinakes.query.fieldset`."""

from __future__ import annotations

from functools import cache

from pinakes.query.fieldset import LARGE, LIST_BYTES, PAGE_BYTES, Rule, Rules
from pinakes.store.queries import load


@cache
def large_columns(row: str, rules: Rules, items: str) -> dict[str, str]:
    """An expression for each column of `LARGE` and for `omitted`, the names of those left out for their size.

    `row` is the alias of the row; `items` is an SQL expression for the number of items on the page.
    """
    sql = load("large")
    expressions: dict[str, str] = {}
    limited: dict[str, str] = {}
    for (name, kind), rule in zip(LARGE.items(), rules, strict=True):
        column = f"{row}.{name}"
        most = _most(rule, items)
        if rule == "left out":
            expressions[name] = f"NULL::{kind}"
        elif most is None:
            expressions[name] = column
        else:
            limited[name] = sql[f"{kind}_fits"].replace("{column}", column).replace("{most}", most)
            expressions[name] = sql["value"].replace("{fits}", limited[name]).replace("{column}", column)
    expressions["omitted"] = _omitted(limited)
    return expressions


def _most(rule: Rule, items: str) -> str | None:
    """The limit in bytes as SQL; None for no limit."""
    match rule:
        case "short":
            return str(LIST_BYTES)
        case "whole":
            return f"greatest({LIST_BYTES}, {PAGE_BYTES} / {items})"
        case _:
            return None


def _omitted(limited: dict[str, str]) -> str:
    if not limited:
        return "NULL::text[]"
    sql = load("large")
    # A missing value is no value beyond the limit: NULL counts as true.
    all_fit = " AND ".join(f"coalesce({fits}, true)" for fits in limited.values())
    names = ", ".join(
        sql["name_if_omitted"].replace("{fits}", f"({fits})").replace("{name}", name) for name, fits in limited.items()
    )
    return sql["omitted"].replace("{all_fit}", all_fit).replace("{names}", names)


def with_large(sql: str, row: str, rules: Rules, items: str) -> str:
    """`sql` with `{content_data}`, `{omitted}` and the like replaced by their expressions."""
    for name, expression in large_columns(row, rules, items).items():
        sql = sql.replace("{" + name + "}", expression)
    return sql
