"""The schema: everything it declares is there and in use, and so are the rows that must always stand there.

Extra indexes, constraints and triggers are somebody's own and no fault. What the read model consists of is looked at
by its policy: the relation it is kept in, its columns and its indexes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pinakes.audit.part import SQL, Finding, Skipped, Step, Subject
from pinakes.store import catalogue
from pinakes.store.migrate import revisions
from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import load
from pinakes.store.roles import make_roles
from pinakes.store.standing import put_back, wrong_rows
from pinakes.view.actions import rebuild
from pinakes.view.definition import COLUMNS, NAME
from pinakes.view.session import session

_GRANTS, _ROWS, _VIEW = "rights", "rows", "read model"


async def schema(subject: Subject, _: Any) -> AsyncIterator[Step]:
    """One look at the catalogue, in one step."""
    if catalogue.declared()[0] != revisions()[-1]:
        raise Skipped(f"what is described is revision {catalogue.declared()[0]}; run `make schema`")
    with translate_errors():
        async with subject.pool.acquire() as connection:
            faults = await catalogue.faults(connection)
            found = [Finding("schema", str(fault.what), fault.said) for fault in faults]
            if not any(fault.what.name in {"epoch", "sources", "alembic_version"} for fault in faults):
                wrong = await wrong_rows(connection)
                found += [Finding("schema", table, said, _ROWS) for table, said in wrong.items()]
                if "epoch" not in wrong:
                    found += [Finding("schema", NAME, said, _VIEW) for said in await _view(connection)]
            found += [Finding("schema", "roles", said, _GRANTS) for said in await catalogue.ungranted(connection)]
    yield Step(1, 1, 1, tuple(found), len(catalogue.declared()[1]))


async def _view(connection: Connection) -> list[str]:
    """What the relation of the read model lacks."""
    policy = await connection.fetchval("SELECT policy FROM epoch")
    if policy is None:
        return []
    row = await connection.fetchrow(SQL["view_shape"])
    if row is None:
        return ["the read model is gone"]
    plain = policy == "incremental"
    if (row["relkind"] == "r") != plain:
        return [f"policy {policy} keeps the read model in another kind of relation"]
    columns = {*COLUMNS, "doc"} if plain else set(COLUMNS)
    said = [f"column {name} is missing" for name in sorted(columns - set(row["columns"]))]
    wanted = set(load("indexes", "pinakes.view.sql")) - (set() if plain else {"doc"})
    there = {name for name in wanted if any(index.endswith(f"_{name}") for index in row["indexes"])}
    return said + [f"the index for {name} is missing or invalid" for name in sorted(wanted - there)]


async def mend(subject: Subject, findings: list[Finding]) -> str:
    """Makes everything again that is declared, then the rows; has the read model built anew where it is damaged."""
    with translate_errors():
        async with session(subject.settings, "pinakes check") as connection:
            stuck = await catalogue.mend(connection)
            if not stuck:
                await put_back(connection, revisions()[-1])
            if any(finding.key == _GRANTS for finding in findings):
                await make_roles(connection)
    done = "made again what was missing"
    if any(finding.key == _VIEW for finding in findings):
        await rebuild(subject.settings)
        done += "; built the read model anew"
    return done + "".join(f"; {statement}: {why}" for statement, why in stuck)
