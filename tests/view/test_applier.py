"""What the applier's two safeguards are for: mutated copies without them lose changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import asyncpg
import pytest
import pytest_asyncio

from pinakes.settings import Settings
from pinakes.store.pool import Connection
from pinakes.view import epoch as epochs
from pinakes.view.applier import Applier, parameters
from pinakes.view.build import build
from pinakes.view.definition import COLUMNS, by_keys
from pinakes.view.epoch import read_epoch
from pinakes.view.facts import RowChange
from pinakes.view.session import alone, session
from read_models import differences, documents, drain, seed

Isolation = Literal["read_committed", "repeatable_read"]


@pytest_asyncio.fixture
async def keeper(settings: Settings) -> AsyncIterator[Connection]:
    async with session(settings) as connection:
        await seed(connection)
        await connection.execute(
            "INSERT INTO content_items (id, title, creator_id) VALUES (1, 'one', 1), (2, 'two', 2)"
        )
        await build(connection, "incremental")
        yield connection


class Watermark:
    """The mutant: remembers how far it has read instead of taking rows."""

    def __init__(self) -> None:
        self.last = 0

    async def apply(self, connection: Connection) -> Any:
        rows = await connection.fetch("SELECT n, source_type, id FROM dirty WHERE n > $1 ORDER BY n", self.last)
        if rows:
            self.last = rows[-1]["n"]
            await _write(connection, await _compute(connection, {1: [row["id"] for row in rows]}))


async def _compute(connection: Connection, keys: dict[int, list[int]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(by_keys(), *parameters(keys))]


async def _write(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    for row in rows:
        values = ", ".join(f"${n}" for n in range(3, len(COLUMNS) + 1))
        sql = f"UPDATE unified_content_with_tags SET ({', '.join(COLUMNS[2:])}) = ROW({values})"
        await connection.execute(f"{sql} WHERE source_type = $1 AND id = $2", *row)


async def _commits_out_of_order(settings: Settings, apply: Callable[[], Awaitable[Any]]) -> None:
    """The first writer commits after the second, and the consumer looks in between."""
    async with session(settings) as first, session(settings) as second:
        transaction = first.transaction()
        await transaction.start()
        await first.execute("UPDATE content_items SET title = 'first' WHERE id = 1")
        await second.execute("UPDATE content_items SET title = 'second' WHERE id = 2")
        await apply()
        await transaction.commit()
        await apply()


async def test_commits_out_of_order_lose_nothing(settings: Settings, keeper: Connection) -> None:
    applier = Applier()
    await _commits_out_of_order(settings, lambda: applier.apply(keeper))
    assert await differences(keeper) == []


async def test_a_watermark_would_lose_the_late_commit(settings: Settings, keeper: Connection) -> None:
    await keeper.execute("ALTER TABLE dirty ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY")
    mutant = Watermark()
    await _commits_out_of_order(settings, lambda: mutant.apply(keeper))
    assert len(await differences(keeper)) == 2  # the row as it is, and as it should be


class Careless:
    """The mutant: takes what no other has taken, computes, and writes a moment later, all without the lock."""

    TAKE = """
        DELETE FROM dirty WHERE ctid = ANY (ARRAY(SELECT ctid FROM dirty FOR UPDATE SKIP LOCKED)) RETURNING id
    """

    def __init__(self, isolation: Isolation) -> None:
        self.isolation = isolation

    async def apply(self, connection: Connection, pause: Callable[[], Awaitable[None]]) -> None:
        async with connection.transaction(isolation=self.isolation):
            taken = [row["id"] for row in await connection.fetch(self.TAKE)]
            rows = await _compute(connection, {1: taken})
            await pause()
            await _write(connection, rows)
            await connection.fetchval(epochs.SQL["advance"], 0, True)


async def _two_at_once(settings: Settings, isolation: Isolation) -> None:
    """The slower applier writes what it computed before the faster one's change."""

    async def nothing() -> None:
        pass

    async with session(settings) as writer, session(settings) as slow, session(settings) as fast:

        async def meanwhile() -> None:
            await writer.execute("UPDATE content_items SET title = 'newer' WHERE id = 1")
            await Careless(isolation).apply(fast, nothing)

        await writer.execute("UPDATE content_items SET title = 'new' WHERE id = 1")
        await Careless(isolation).apply(slow, meanwhile)


async def test_two_appliers_at_once_would_bring_back_old_rows(settings: Settings, keeper: Connection) -> None:
    await _two_at_once(settings, "read_committed")
    assert not await keeper.fetchval("SELECT EXISTS (SELECT FROM dirty)")
    assert len(await differences(keeper)) == 2


async def test_one_snapshot_an_epoch_refuses_the_slower_of_two(settings: Settings, keeper: Connection) -> None:
    with pytest.raises(asyncpg.SerializationError):
        await _two_at_once(settings, "repeatable_read")
    await drain(keeper)
    assert await differences(keeper) == []


async def test_the_lock_lets_one_in(settings: Settings, keeper: Connection) -> None:
    async with session(settings) as other, alone(keeper, wait=False) as held:
        assert held
        async with alone(other, wait=False) as also:
            assert not also
    async with session(settings) as other, alone(other, wait=False) as free:
        assert free


async def test_many_appliers_and_writers_at_once_end_equal(settings: Settings, keeper: Connection) -> None:
    """Four appliers take turns by the lock while four writers write; every epoch is logged once."""
    stop = asyncio.Event()

    async def write(number: int) -> None:
        async with session(settings) as connection:
            for n in range(30):
                async with connection.transaction():
                    sql = "INSERT INTO content_items (title, creator_id) VALUES ($1, 1) RETURNING id"
                    item = await connection.fetchval(sql, f"{number} {n}")
                    await connection.execute("INSERT INTO content_tags VALUES (1, $1, $2)", item, n % 6 + 1)
                    await connection.execute("UPDATE content_items SET title = title || '+' WHERE id = 1")

    async def apply() -> None:
        async with session(settings) as connection:
            while not stop.is_set():
                async with alone(connection, wait=False) as held:
                    if held:
                        await Applier(batch=7).apply(connection)
                await asyncio.sleep(0)

    appliers = [asyncio.create_task(apply()) for _ in range(4)]
    await asyncio.gather(*(write(number) for number in range(4)))
    stop.set()
    await asyncio.gather(*appliers)
    await drain(keeper)
    assert await differences(keeper) == []
    state = await read_epoch(keeper)
    assert await keeper.fetchval("SELECT count(*) FROM change_log") == state.epoch
    assert len(await documents(keeper)) == 122 == state.next_doc


async def test_observers_see_each_change_in_its_transaction(keeper: Connection) -> None:
    heard: list[tuple[int, list[RowChange]]] = []

    async def observe(connection: Connection, epoch: int, changes: Any) -> None:
        assert connection.is_in_transaction()
        heard.append((epoch, list(changes)))

    await keeper.execute(
        "UPDATE content_items SET is_private = true WHERE id = 1; DELETE FROM content_items WHERE id = 2"
    )
    await Applier(observers=[observe]).apply(keeper)
    ((epoch, changes),) = heard
    assert epoch == 2
    first, second = sorted(changes, key=lambda change: change.id)
    assert first.before is not None
    assert first.after is not None
    assert (first.before.is_private, first.after.is_private) == (False, True)
    assert (second.doc, second.after) == (1, None)


async def test_a_write_that_changes_nothing_changes_no_row(keeper: Connection) -> None:
    await keeper.execute("UPDATE content_items SET title = title")
    before = await keeper.fetch("SELECT xmin FROM unified_content_with_tags ORDER BY id")
    applied = await Applier().apply(keeper)
    assert applied is not None
    assert applied.changes == ()
    assert await keeper.fetch("SELECT xmin FROM unified_content_with_tags ORDER BY id") == before


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE tags SET name = 'other' WHERE id = 1", {"names", "vocabulary"}),
        ("UPDATE tags SET category = 'other' WHERE id = 1", {"names", "vocabulary"}),
        ("UPDATE tags SET name = name", None),
        ("INSERT INTO tags (name) VALUES ('another')", {"vocabulary"}),
        ("INSERT INTO tags (name) VALUES ('tag 1') ON CONFLICT DO NOTHING", None),
        ("DELETE FROM tags WHERE id = 6", {"vocabulary"}),
        ("UPDATE users SET username = username", None),
        ("INSERT INTO users (username) VALUES ('another')", None),
    ],
)
async def test_clocks_of_shown_names(keeper: Connection, statement: str, expected: set[str] | None) -> None:
    await keeper.execute(statement)
    applied = await Applier().apply(keeper)
    assert (None if applied is None else set(applied.terms)) == expected


async def test_a_new_username_reaches_every_item_and_advances_names(keeper: Connection) -> None:
    await keeper.execute("UPDATE users SET username = 'renamed' WHERE id = 1")
    applied = await Applier().apply(keeper)
    assert applied is not None
    assert {"names", "creator:1"} <= set(applied.terms)
    assert await keeper.fetchval("SELECT creator_username FROM unified_content_with_tags WHERE id = 1") == "renamed"
