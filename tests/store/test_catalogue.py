"""Each thing the schema declares, damaged one after the other: named, and healed by the repair told."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from pinakes.store import catalogue
from pinakes.store.catalogue import Object
from pinakes.store.migrate import revisions
from pinakes.store.pool import Connection, Pool

KINDS = {
    "table", "column", "not null", "default", "identity", "storage", "option", "persistence", "row security", "rules",
    "function", "constraint", "index", "trigger",
}  # fmt: skip


async def test_the_description_is_that_of_the_newest_schema(pool: Pool) -> None:
    async with pool.acquire() as connection:
        there = await catalogue.objects(connection)
    assert catalogue.FILE.read_bytes() == catalogue.described(revisions()[-1], there), "run: make schema"
    assert {each.kind for each in there} == KINDS


async def test_a_schema_that_was_just_made_has_no_fault(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await catalogue.faults(connection) == []
        assert await catalogue.ungranted(connection) == []


def damages(each: Object) -> Iterator[str]:  # noqa: C901, PLR0912 - a table of kinds
    """Statements each of which does away with an object, or makes it another, or useless."""
    on, name = f'ALTER TABLE "{each.parent or each.name}"', f'"{each.name}"'
    match each.kind:
        case "table":
            yield f"DROP TABLE {name} CASCADE"
            if each.definition.startswith("PARTITION OF"):
                yield f"ALTER TABLE {each.definition.split()[2]} DETACH PARTITION {name}"
        case "column":
            if not (each.parent.startswith("content_tags") and each.name == "source_type"):  # it is partitioned by it
                child = each.parent.startswith("content_tags_")  # what a partition has its parent decides
                yield f'ALTER TABLE "{"content_tags" if child else each.parent}" DROP COLUMN {name} CASCADE'
        case "not null":
            yield f"{on} ALTER COLUMN {name} DROP NOT NULL"  # refused for keys, which need it
        case "default":
            yield f"{on} ALTER COLUMN {name} DROP DEFAULT"
        case "identity":
            yield f"{on} ALTER COLUMN {name} DROP IDENTITY"
        case "storage":
            yield f"{on} ALTER COLUMN {name} SET STORAGE EXTENDED"
        case "option":
            yield f"{on} RESET ({each.name})"
        case "persistence":
            yield f"UPDATE pg_class SET relpersistence = 'u' WHERE oid = '{each.parent}'::regclass"
        case "row security":
            yield f"{on} ENABLE ROW LEVEL SECURITY"
        case "rules":
            yield f'CREATE RULE nothing AS ON INSERT TO "{each.parent}" DO INSTEAD NOTHING'
        case "function":
            yield f"DROP FUNCTION {each.name} CASCADE"
            yield f"ALTER FUNCTION {each.name} COST 77"
        case "constraint":
            yield f"{on} DROP CONSTRAINT {name} CASCADE"
            if each.definition.startswith(("CHECK", "FOREIGN")):
                where = f"conname = '{each.name}' AND conrelid = '{each.parent}'::regclass"
                yield f"UPDATE pg_constraint SET convalidated = false WHERE {where}"
            if each.definition.startswith("FOREIGN"):
                yield f"{on} DISABLE TRIGGER ALL"
            if each.definition.startswith(("UNIQUE", "PRIMARY")):
                yield f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{each.name}'::regclass"
        case "index":
            yield f"DROP INDEX {name}"
            yield f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{each.name}'::regclass"
        case "trigger":
            yield f'DROP TRIGGER {name} ON "{each.parent}"'
            yield f"{on} DISABLE TRIGGER {name}"
            yield f"{on} ENABLE REPLICA TRIGGER {name}"


async def _heal(connection: Connection) -> list[str]:
    """Runs every repair that is told, in one transaction; what is still wrong."""
    for _ in range(3):
        for fault in await catalogue.faults(connection):
            for statement in fault.repair:
                try:
                    async with connection.transaction():
                        await connection.execute(statement.replace(" CONCURRENTLY", ""))
                except asyncpg.PostgresError:
                    continue  # it needs what a later statement makes
    return [fault.said for fault in await catalogue.faults(connection)]


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_whatever_is_damaged_is_named_and_healed_by_its_repair(pool: Pool, kind: str) -> None:
    wrong: list[object] = []
    done = 0
    async with pool.acquire() as connection:
        for each in catalogue.declared()[1]:
            for damage in damages(each) if each.kind == kind else ():
                transaction = connection.transaction()
                await transaction.start()
                try:
                    if kind == "column":
                        # Values of a column that is required and has no default only a backup has.
                        await connection.execute(
                            "DELETE FROM alembic_version; DELETE FROM sources; DELETE FROM dirty_marks"
                        )
                    await connection.execute(damage)
                    wrong += [(damage, said) for said in await _unhealed(connection, each)]
                    done += 1
                except (asyncpg.InvalidTableDefinitionError, asyncpg.PostgresSyntaxError):
                    assert kind == "not null"  # of a key or an identity
                finally:
                    await transaction.rollback()
    assert wrong == []
    assert done


async def _unhealed(connection: Connection, each: Object) -> list[str]:
    """What is not as it must be when `each` was damaged: not named, without a repair, or not healed by it."""
    found = await catalogue.faults(connection)
    wrong = [] if any(fault.what.key == each.key for fault in found) else [f"not named, but {found}"]
    wrong += [f"no repair of: {fault.said}" for fault in found if not fault.repair]
    return wrong + [f"not healed: {said}" for said in await _heal(connection)]
