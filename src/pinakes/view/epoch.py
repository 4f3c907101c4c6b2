"""The epoch: which state the read model is in.

One row, written only by the holder of the applier's lock and always in the transaction that
changes the read model, so that in every snapshot, on replicas too, the number belongs to the
data. Within one incarnation epochs only grow; every rebuild and every restore begins another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, TypeAlias, get_args
from uuid import UUID

import asyncpg

from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.standing import sole_row

Policy: TypeAlias = Literal["periodic", "event", "incremental"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

CHANNEL = "pinakes_epoch"

_SQL = load("epoch", "pinakes.view.sql")


def with_at(queries: Mapping[str, str]) -> dict[str, str]:
    """`queries` with `{at}` replaced by how an epoch's `at` is told."""
    return {name: sql.replace("{at}", _SQL["at"]) for name, sql in queries.items()}


def with_columns(queries: Mapping[str, str]) -> dict[str, str]:
    """The same, and `{columns}` replaced by those that `as_epoch` needs."""
    return with_at({name: sql.replace("{columns}", _SQL["columns"]) for name, sql in queries.items()})


SQL: Mapping[str, str] = with_columns(_SQL)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state of the read model. `policy` is None while there is none.

    `at`: everything committed before it is in the read model. `now` is the server's time of the
    snapshot that read this, so `now - at` is how old an answer from the read model may be.
    """

    incarnation: UUID
    epoch: int
    at: datetime
    next_doc: int
    policy: Policy | None
    configured: str | None
    definition: str | None
    built_at: datetime | None
    origin: str | None
    now: datetime

    @property
    def age_s(self) -> float:
        """Seconds since the read model was last known to be right."""
        return max((self.now - self.at).total_seconds(), 0.0)


async def read_epoch(connection: Connection) -> Epoch:
    """The epoch in the connection's snapshot.

    Raises:
        MissingRow: there is none.
    """
    return as_epoch(sole_row(await connection.fetchrow(SQL["read"])))


def as_epoch(row: asyncpg.Record) -> Epoch:
    """An epoch from a record that has its columns."""
    values = {field.name: row[field.name] for field in fields(Epoch)}
    if values["at"].tzinfo is None:
        values["at"] = _LONG_AGO  # '-infinity': nothing was ever applied
    return Epoch(**values)


async def origin_of(connection: Connection) -> str:
    """Which server's history this database is on."""
    return str(await connection.fetchval(SQL["origin"]))


async def new_incarnation(connection: Connection) -> int:
    """Begins another incarnation and gives its first epoch; the rows stay. The caller holds the applier's lock."""
    origin = await origin_of(connection)
    async with connection.transaction(isolation="repeatable_read"):
        number: int = await connection.fetchval(SQL["disown"], origin)
        await connection.execute(SQL["log"], number, 0, ["*"])
    return number


_LONG_AGO = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
