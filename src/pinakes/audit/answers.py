"""Answers: engines agree in one snapshot, and what the cache gives is what would be computed now.

The questions are the gallery's own: its popular tags alone and in pairs, some tags by chance, in every
order, asked by nobody and by creators who have items. A stored answer is filed under what a question
means, so what other processes stored for these questions is what gets compared.

A stored answer may be older than a write by the budget. So where it differs from one computed at some
epoch, the cache is asked once more when its clocks have passed that epoch: if it then still gives the
same stored answer as right, its clocks claim that nothing changed where something did. That is exact,
however fast others write. Answers under strategy `ttl` promise their age only and are passed over.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

from pinakes.audit.part import SQL, Finding, Skipped, Step, Subject
from pinakes.cache.answer import Answer
from pinakes.cache.clocks import Reading
from pinakes.cache.core import ResultCache
from pinakes.cache.key import EVERYTHING
from pinakes.cache.link import CacheFailure
from pinakes.cache.reader import Freshness, text_of
from pinakes.cache.stamp import read_stamp
from pinakes.engines.choice import EngineName, Engines
from pinakes.errors import CacheUnusable, ReadModelNotReady
from pinakes.query.cursor import CursorCodec
from pinakes.query.gallery_query import SORT_FIELDS, SORT_ORDERS, GalleryQuery, to_formula
from pinakes.query.item import Page
from pinakes.query.sources import SOURCES
from pinakes.service import ContentService
from pinakes.store.pool import snapshot
from pinakes.store.queries import for_source
from pinakes.store.vocabulary import resolve
from pinakes.view.epoch import read_epoch

POPULAR = 20
BY_CHANCE = 20
FULL = 10
"""With `full`, as many times more."""
EPOCHS = 500
TERMS = 20_000
"""Epochs and terms of the log looked at in one step; one epoch alone may have touched more terms."""
ASKED = 500
"""Clocks asked in one command: Redis answers each of them within the cache's time limit."""
LATE = 20
"""Late clocks told of each step."""
TRUST_S = 10.0
_PAUSE_S = 0.1
_FRESH = Freshness(use_cache=False)


async def questions(subject: Subject) -> list[GalleryQuery]:
    """What is asked; the same for the same gallery and seed."""
    factor = FULL if subject.full else 1
    popular = [row["tag_id"] for row in await subject.pool.fetch(SQL["popular"], POPULAR * factor)]
    creators: list[int] = []
    for source in SOURCES:
        sql = for_source(SQL["some_creators"], source)
        creators += [row["creator_id"] for row in await subject.pool.fetch(sql, 5)]
    if not popular:
        return []
    orders = itertools.cycle(itertools.product(SORT_FIELDS, SORT_ORDERS))
    viewers = itertools.cycle([None, None, *sorted(set(creators))[:4]])
    asked: list[GalleryQuery] = []
    for tag in popular:
        field, order = next(orders)
        asked.append(GalleryQuery(tags_all=(tag,), sort_field=field, sort_order=order, viewer=next(viewers)))
    for _ in range(BY_CHANCE * factor):
        one, other = subject.rng.choice(popular), subject.rng.choice(popular)
        field, order = next(orders)
        some = (one,) if one == other else (one, other)
        kind = subject.rng.choice(("tags_all", "tags_any", "tags_none"))
        rest = {"tags_all": (popular[0],)} if kind == "tags_none" else {}
        chosen: dict[str, Any] = {**rest, kind: some, "sort_field": field, "sort_order": order}
        asked.append(GalleryQuery(**chosen, page=subject.rng.choice((1, 1, 2)), viewer=next(viewers)))
    return asked


async def engines(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """The engines that are ready, compared with each other in one snapshot for each question."""
    secret = subject.settings.cursor_secret or "0" * 32
    all_of_them = Engines(CursorCodec(secret), subject.settings)
    asked = await questions(subject)
    for number in range(start or 0, len(asked)):
        told = await _by_engine(subject, all_of_them, asked[number])
        differ = len({_said(page) for page in told.values()}) > 1
        what = ", ".join(f"{name}: {page.total_count} in all" for name, page in told.items())
        found = (Finding("engines", text_of(asked[number]), f"engines disagree: {what}"),) if differ else ()
        yield Step(number + 1, number + 1, len(asked), found, len(told))


async def _by_engine(subject: Subject, all_of_them: Engines, query: GalleryQuery) -> dict[str, Page]:
    told: dict[str, Page] = {}
    async with snapshot(subject.pool, max(subject.settings.statement_timeout_ms, 60_000)) as connection:
        vocabulary = await resolve(connection, query.refs, query.viewer, query.descendants)
        formula = to_formula(query, vocabulary)
        settled = (await read_stamp(connection)).exact
        # What waits to be applied is in the tables already, so then `base` is ahead of the others.
        names: tuple[EngineName, ...] = ("index", "matview", "base") if settled else ("index", "matview")
        for name in names:
            try:
                told[name] = await all_of_them.named(name).answer(connection, query, formula)
            except ReadModelNotReady:
                continue
    return told


def _said(page: Page) -> tuple[Any, ...]:
    """What a page says, a total that was cut off apart."""
    total = page.total_count if page.total_kind == "exact" else None
    return total, tuple((item.source, item.id) for item in page.items), page.next_cursor, page.prev_cursor


async def cached(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """Stored answers against fresh ones."""
    cache = subject.service.cache
    if cache is None:
        raise Skipped("there is no cache")
    if cache.options.strategy == "ttl":
        raise Skipped("strategy ttl promises nothing but age")
    await _trusted(subject)
    asked = await questions(subject)
    for number in range(start or 0, len(asked)):
        query = asked[number]
        await subject.service.answer(query)  # stores it where nobody has
        difference = await contradiction(subject.service, query, await subject.service.answer(query))
        found = (Finding("cache", text_of(query), difference),) if difference else ()
        yield Step(number + 1, number + 1, len(asked), found, 1)


async def contradiction(service: ContentService, query: GalleryQuery, stored: Answer) -> str | None:
    """What speaks against the answer `stored`, which came from the cache; None where nothing does.

    Raises:
        StoreError: the database cannot be asked.
    """
    cache = service.cache
    if cache is None or not stored.from_cache:
        return None
    fresh = await service.answer(query, _FRESH)
    if stored.etag == fresh.etag or not fresh.entry.exact:
        return None
    until = asyncio.get_running_loop().time() + TRUST_S
    while asyncio.get_running_loop().time() < until:
        if cache.mirror.trusted() and cache.mirror.newest >= fresh.entry.epoch:
            again = await service.answer(query)
            if again.entry.created_ms != stored.entry.created_ms or again.etag != stored.etag:
                return None
            if again.source in {"hit_l1", "hit_l2"}:
                return (
                    f"stored at epoch {stored.entry.epoch}, given as right, and not what epoch {fresh.entry.epoch} says"
                )
        await asyncio.sleep(_PAUSE_S)
    return None


async def _trusted(subject: Subject) -> None:
    cache = subject.service.cache
    assert cache is not None
    until = asyncio.get_running_loop().time() + TRUST_S
    while not cache.mirror.trusted():
        if asyncio.get_running_loop().time() > until:
            raise Skipped("no stored answer is trusted now, so none is given")
        await asyncio.sleep(_PAUSE_S)


async def clocks(subject: Subject, start: Any) -> AsyncIterator[Step]:
    """Clocks against the change log: no term's clock is older than the last epoch that touched it."""
    cache = subject.service.cache
    if cache is None:
        raise Skipped("there is no cache")
    await _trusted(subject)
    epoch = start or 0
    async with subject.pool.acquire() as connection:
        newest = (await read_epoch(connection)).epoch
    while rows := await subject.pool.fetch(SQL["logged"], epoch, EPOCHS, TERMS):
        touched: dict[str, int] = {}
        for row in rows:
            touched |= dict.fromkeys(row["terms"], row["epoch"])
        late: list[Finding] = []
        terms = list(touched)
        for first in range(0, len(terms), ASKED):
            some = terms[first : first + ASKED]
            reading = await _clocks_of(cache, some)
            late += [] if reading is None else _late({term: touched[term] for term in some}, reading)
        epoch = rows[-1]["epoch"]
        yield Step(epoch, min(epoch, newest), newest, tuple(late[:LATE]), len(touched))


def _late(touched: dict[str, int], reading: Reading) -> list[Finding]:
    """A finding for each term whose clock is behind the epoch that touched it."""
    return [
        Finding("clocks", term, f"the clock says {reading.clock(term)}, epoch {epoch} touched it")
        for term, epoch in touched.items()
        if reading.clock(term) < epoch <= reading.newest
    ]


async def _clocks_of(cache: ResultCache, terms: list[str]) -> Reading | None:
    """The clocks of `terms`, asked until Redis answers; the breaker of the connection rests between.

    Raises:
        CacheUnusable: it does not within `TRUST_S`.
    """
    until = asyncio.get_running_loop().time() + TRUST_S
    while True:
        try:
            return await cache.clocks.read(terms)
        except CacheFailure as failure:
            if asyncio.get_running_loop().time() > until:
                raise CacheUnusable(f"The clocks cannot be read: {failure}") from failure
        await asyncio.sleep(_PAUSE_S)


async def forget_all(subject: Subject, _: list[Finding]) -> str:
    """Has no stored answer be given again that exists now."""
    cache = subject.service.cache
    assert cache is not None
    try:
        await cache.forget((EVERYTHING,))
    except CacheFailure as failure:
        raise CacheUnusable(f"The stored answers could not be forgotten: {failure}") from failure
    return "every stored answer is forgotten"
