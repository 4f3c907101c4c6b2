"""Roles with the least a program needs, made by whoever owns the schema.

    pinakes_app      rows of all tables: what the web processes need. No table can be made, changed or dropped
    pinakes_reader   looking: reports, replicas

Neither can log in. Make users of your own members: `GRANT pinakes_app TO web`. What is made later by
the same owner (a rebuilt read model, say) is granted by default privileges. Running it again changes nothing.
"""

from __future__ import annotations

from pinakes.store.pool import Connection, translate_errors
from pinakes.store.queries import load

APP, READER = "pinakes_app", "pinakes_reader"


async def make_roles(connection: Connection) -> None:
    """Makes the roles where they are missing, and grants them what they need in this database.

    Raises:
        StoreError: the user of `connection` may not.
    """
    sql = load("roles")
    with translate_errors():
        async with connection.transaction():
            await connection.execute(sql["make"])
            await connection.execute(sql["grant"])
