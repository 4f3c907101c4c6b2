"""Whether a gallery can be kept in this database, by this role: looked at when the database is opened.

| what | why it matters |
|---|---|
| PostgreSQL 15 or newer | older ones lack what the schema uses |
| encoding UTF8 | elsewhere words are cut in the middle of a character, and engines disagree |
| `standard_conforming_strings` on | bytes would be read as escapes |
| `session_replication_role` origin | else no trigger fires: counts, endings and the read model go wrong unnoticed |
| `gin_fuzzy_search_limit` 0 | else a search by words gives some of its hits, by chance |
| `search_path` leads to the schema of the tables first | else they are not found, or new ones are made elsewhere |
| rights on every table and function | else it fails later, at the first question that needs them |

`judge_session` costs nothing: the server says these things when a connection is opened. `require_fit` is one statement.
Settings that do no harm (dates, time zone, digits of numbers, isolation, escapes of bytes) are not looked at.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from pinakes.errors import UnfitDatabase
from pinakes.store.queries import load

if TYPE_CHECKING:
    from pinakes.store.pool import Connection, Pool

OLDEST = 15
_SQL = load("fitness")
_SHOWN = 5


class Access(IntEnum):
    """What a program does with the tables. Who owns them may write, and who writes may read."""

    READ = 1
    WRITE = 2
    OWN = 3


def judge_session(connection: Connection) -> None:
    """Returns where a gallery can be kept on the server behind `connection`.

    Raises:
        UnfitDatabase: it cannot.
    """
    version = connection.get_server_version()
    if version.major < OLDEST:
        raise UnfitDatabase(f"This is PostgreSQL {version.major}; {OLDEST} or newer is needed.", hint="Upgrade it.")
    said = connection.get_settings()
    encoding = getattr(said, "server_encoding", "UTF8")
    if encoding.upper().replace("-", "") != "UTF8":
        raise UnfitDatabase(
            f"The database has the encoding {encoding}; UTF8 is needed.",
            hint="CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and move what there is by pg_dump.",
        )
    if getattr(said, "standard_conforming_strings", "on") != "on":
        raise _setting("standard_conforming_strings", "off", "on")


def _setting(name: str, value: str, needed: str) -> UnfitDatabase:
    return UnfitDatabase(
        f"{name} is {value} for this role and database; {needed} is needed.",
        hint="RESET it for the role and the database; `\\drds` in psql lists both.",
    )


async def require_fit(executor: Pool | Connection, access: Access) -> None:
    """Returns where this role, with its settings, can do with the tables of this database what `access` says.

    A schema that is not there yet is no fault: `Access.OWN` then needs the right to make one.

    Raises:
        UnfitDatabase: it cannot.
    """
    row = await executor.fetchrow(_SQL["look"])
    assert row is not None, "a look is always one row"
    if row["replication_role"] == "replica":
        raise _setting("session_replication_role", "replica", "origin")
    if row["gin_limit"] != "0":
        raise _setting("gin_fuzzy_search_limit", row["gin_limit"], "0")
    if access is Access.OWN and row["read_only"] == "on" and not row["standby"]:
        raise _setting("default_transaction_read_only", "on", "off")
    _require_path(row, access)
    # A standby, and a role told to change nothing, serve readers.
    least = Access.READ if row["standby"] or row["read_only"] == "on" else access
    for needed, missing, lacks in (
        (Access.READ, row["unreadable"], "may not read"),
        (Access.READ, row["uncallable"], "may not call the functions"),
        (Access.WRITE, row["unwritable"], "may not insert into, update and delete from"),
        (Access.OWN, row["foreign"], "is not the owner, nor a member of the owner, of"),
    ):
        if missing and least >= needed:
            raise UnfitDatabase(f"The role {row['role']} {lacks} {_some(missing)}.", hint=_ROLES)
    if access is Access.OWN and not row["may_create"]:
        raise UnfitDatabase(f"The role {row['role']} may not make tables in schema {row['here']}.", hint=_ROLES)


_ROLES = "docs/db.md, Roles: `pinakes migrate --roles`, run as the owner, makes the roles, and GRANT gives one."


def _require_path(row: Any, access: Access) -> None:
    """The tables are found, and new ones are made beside them."""
    if row["home"] is None and row["elsewhere"] is not None:
        raise UnfitDatabase(
            f"The tables are in schema {row['elsewhere']}, which the search_path of this role does not name.",
            hint=f"Let the role's search_path begin with {row['elsewhere']}.",
        )
    if access is Access.OWN and row["here"] is None:
        raise UnfitDatabase("The search_path of this role names no schema that is there.", hint="SET it to public.")
    if access is Access.OWN and row["home"] is not None and row["home"] != row["here"]:
        raise UnfitDatabase(
            f"The tables are in schema {row['home']}, but this role would make new ones in {row['here']}.",
            hint=f"Let the role's search_path begin with {row['home']}.",
        )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
