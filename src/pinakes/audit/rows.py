"""The base tables: no tagging without item and tag, no item without creator, no count that is nearly right.

And the read model: each row is what its definition says, unless a change of it waits to be applied.
Both go by ranges of ids, `BATCH` items in one snapshot: 25 µs an item for the read model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pinakes.audit.part import SQL, Finding, Skipped, Step, Subject
from pinakes.errors import ReadModelNotReady
from pinakes.index.deltas import DeltaWriter
from pinakes.query.sources import SOURCE_BY_CODE, SOURCES, Source
from pinakes.store.pool import Connection, snapshot, translate_errors, writing
from pinakes.store.queries import for_source
from pinakes.view.actions import refresh_now
from pinakes.view.definition import COLUMNS, by_keys, stored_by_keys
from pinakes.view.epoch import read_epoch
from pinakes.view.reading import hold

BATCH = 5000
TAGS = 500
_LAST = 2**63 - 1
_PATIENCE = 20
"""How often a range is begun anew because the read model was exchanged under it."""


def _sql(name: str, source: Source) -> str:
    return for_source(SQL[name], source).replace("{code}", str(source.code))


async def _ranges(subject: Subject, start: Any, query: str) -> AsyncIterator[tuple[Source, int, int, list[int], int]]:
    """Every source in ranges of ids: (source, above, up to, the ids, the last id there is)."""
    code, above = start or (SOURCES[0].code, -1)
    for source in SOURCES:
        if source.code < code:
            continue
        last = await subject.pool.fetchval(_sql("last_id", source))
        while True:
            ids = [row["id"] for row in await subject.pool.fetch(_sql(query, source), above, BATCH)]
            up_to = ids[-1] if len(ids) == BATCH else _LAST
            yield source, above, up_to, ids, last
            if up_to == _LAST:
                break
            above = up_to
        above = -1


def _step(source: Source, up_to: int, last: int, checked: int, findings: list[Finding]) -> Step:
    """Sources count equally: nobody knows how many of the ids are in use."""
    place = [each.code for each in SOURCES].index(source.code)
    share = 1.0 if up_to == _LAST else up_to / max(last, 1)
    done = int(1000 * (place + min(share, 1.0)) / len(SOURCES))
    following = [source.code, up_to] if up_to != _LAST else [source.code + 1, -1]
    return Step(following, done, 1000, tuple(findings), checked)


async def orphans(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """Taggings and items that point at nothing."""
    owed = await subject.pool.fetchval(SQL["owed"])
    async for source, above, up_to, ids, last in _ranges(subject, start, "next_content_ids"):
        found: list[Finding] = []
        if owed and start is None and above == -1 and source is SOURCES[0]:
            what = f"{owed} indexes or keys were dropped by a bulk load that never ended; `pinakes migrate` makes them"
            found.append(Finding("orphans", "load_state", what))
        async with snapshot(subject.pool, subject.settings.statement_timeout_ms) as connection:
            for row in await connection.fetch(_sql("dangling", source), above, up_to):
                where = f"{source.name}/{row['content_id']}"
                found.append(Finding("orphans", where, f"a tagging with tag {row['tag_id']} without item or tag"))
            ownerless = await connection.fetch(_sql("ownerless", source), above, up_to)
            found += [Finding("orphans", f"{source.name}/{row['id']}", "an item without creator") for row in ownerless]
        yield _step(source, up_to, last, len(ids), found)


async def read_model(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """Rows of the read model against their definition."""
    async with subject.pool.acquire() as connection:
        state = await read_epoch(connection)
    if state.policy is None:
        raise Skipped("there is no read model")
    async for source, _, up_to, ids, last in _ranges(subject, start, "next_ids"):
        rows = await _differing(subject, [ids if each is source else [] for each in SOURCES])
        found = [
            Finding("read-model", f"{SOURCE_BY_CODE[row['source_type']].name}/{row['id']}", f"{row['kind']} row",
                    [row["source_type"], row["id"]])
            for row in rows
        ]  # fmt: skip
        yield _step(source, up_to, last, len(ids), found)


async def _differing(subject: Subject, keys: list[list[int]]) -> list[Any]:
    for attempt in range(_PATIENCE):
        try:
            async with snapshot(subject.pool, subject.settings.statement_timeout_ms) as connection:
                await hold(connection)
                return list(await connection.fetch(_differing_sql(), *keys))
        except ReadModelNotReady:
            if attempt == _PATIENCE - 1:
                raise
    raise AssertionError("unreachable")


def _differing_sql() -> str:
    """`differing` with its lists filled in; every identifier comes from this package."""
    parts = {
        "{fresh}": by_keys(),
        "{stored}": stored_by_keys(COLUMNS),
        "{fresh_columns}": ", ".join(f"fresh.{column}" for column in COLUMNS),
        "{stored_columns}": ", ".join(f"stored.{column}" for column in COLUMNS),
    }
    text = SQL["differing"]
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


async def apply_anew(subject: Subject, findings: list[Finding]) -> str:
    """Has the wrong rows computed again, and no others."""
    keys = [finding.key for finding in findings]
    async with writing(subject.pool, subject.settings.statement_timeout_ms) as connection:
        await connection.execute(SQL["mark_dirty"], [key[0] for key in keys], [key[1] for key in keys])
    await refresh_now(subject.settings, [DeltaWriter()])
    return f"computed {len(keys):,} rows anew"


async def counts(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """Counts of tags against their taggings."""
    above, done = start or (-(2**31), 0)
    total = await subject.pool.fetchval(SQL["tags_there"])
    while True:
        tags = [row["id"] for row in await subject.pool.fetch(SQL["next_tags"], above, TAGS)]
        up_to = tags[-1] if len(tags) == TAGS else 2**31 - 1
        found = []
        async with snapshot(subject.pool, max(subject.settings.statement_timeout_ms, 60_000)) as connection:
            for source in SOURCES:
                for row in await connection.fetch(_sql("miscounted", source), above, up_to):
                    what = f"the count says {row['told']:,}, there are {row['counted']:,} taggings"
                    where = f"tag {row['tag_id']} in {source.name}"
                    found.append(Finding("tag-counts", where, what, [source.code, row["tag_id"]]))
        done += len(tags)
        yield Step([up_to, done], done, max(total, done), tuple(found), len(tags))
        if up_to == 2**31 - 1:
            return
        above = up_to


async def correct(subject: Subject, findings: list[Finding]) -> str:
    """Adds to each wrong count what it lacks."""
    async with writing(subject.pool, max(subject.settings.statement_timeout_ms, 60_000)) as connection:
        for code, tag in (finding.key for finding in findings):
            await _correct(connection, SOURCE_BY_CODE[code], tag)
    return f"corrected {len(findings):,} counts"


async def _correct(connection: Connection, source: Source, tag: int) -> None:
    sql = SQL["correct_counts"].replace("{miscounted}", SQL["miscounted"])
    with translate_errors():
        await connection.execute(for_source(sql, source).replace("{code}", str(source.code)), tag - 1, tag)
