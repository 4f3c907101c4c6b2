"""Two small derived tables: endings of names, which suggestions begin with, and the log of what epochs touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pinakes.audit.part import SQL, Finding, Skipped, Step, Subject
from pinakes.store.pool import snapshot, translate_errors, writing
from pinakes.view.epoch import read_epoch

TAGS = 2000
_LAST = 2**31 - 1
_TIME_MS = 60_000


async def endings(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """The endings of every tag and alias, by ranges of tags; 10 µs a tag."""
    above, done = start or (-(2**31), 0)
    total = await subject.pool.fetchval(SQL["tags_there"])
    while True:
        tags = [row["id"] for row in await subject.pool.fetch(SQL["next_tags"], above, TAGS)]
        up_to = tags[-1] if len(tags) == TAGS else _LAST
        async with snapshot(subject.pool, max(subject.settings.statement_timeout_ms, _TIME_MS)) as connection:
            rows = await connection.fetch(SQL["wrong_endings"].replace("{expected}", SQL["endings"]), above, up_to)
        found = tuple(
            Finding("endings", f"tag {row['tag_id']}", f"lacks {row['missing']}, has {row['extra']} too many")
            for row in rows
        )  # fmt: skip
        done += len(tags)
        yield Step([up_to, done], done, max(total, done), found, len(tags))
        if up_to == _LAST:
            return
        above = up_to


async def make_endings(subject: Subject, findings: list[Finding]) -> str:
    """Makes the endings of the tags found, and of every other that is wrong, anew."""
    made, above = 0, -(2**31)
    while above != _LAST:
        tags = [row["id"] for row in await subject.pool.fetch(SQL["next_tags"], above, TAGS)]
        up_to = tags[-1] if len(tags) == TAGS else _LAST
        async with writing(subject.pool, max(subject.settings.statement_timeout_ms, _TIME_MS)) as connection:
            rows = await connection.fetch(SQL["wrong_endings"].replace("{expected}", SQL["endings"]), above, up_to)
            wrong = [row["tag_id"] for row in rows]
            if wrong:
                await connection.execute(SQL["hold_tags"], wrong)
                await connection.execute(SQL["drop_endings"], wrong)
                await connection.execute(SQL["add_endings"].replace("{expected}", SQL["endings"]), above, up_to, wrong)
        made += len(wrong)
        above = up_to
    return f"made the endings of {made:,} tags anew"


async def change_log(subject: Subject, _: Any) -> AsyncIterator[Step]:
    """The log has every epoch from its first one on."""
    with translate_errors():
        async with subject.pool.acquire() as connection:
            if (await read_epoch(connection)).policy is None:
                raise Skipped("there is no read model")
            row = await connection.fetchrow(SQL["holes"])
    assert row is not None, "an aggregate is always one row"
    what = f"{row['missing']:,} epochs are not in the log, the first is {row['first']}"
    found = (Finding("change-log", "change_log", what),) if row["missing"] else ()
    yield Step(1, 1, 1, found, row["logged"])


async def fill_log(subject: Subject, _: list[Finding]) -> str:
    """Notes of each missing epoch that it may have touched everything."""
    async with writing(subject.pool, max(subject.settings.statement_timeout_ms, _TIME_MS)) as connection:
        await connection.execute(SQL["fill_holes"])
    return "the missing epochs count as having touched everything"
