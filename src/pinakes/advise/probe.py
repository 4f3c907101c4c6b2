"""Facts from a probe: some dozens of questions to a database, read-only, each with every engine that is ready.

For a gallery nobody has measured yet. The questions are about its busiest tags, which are the
dear ones: so what the probe finds is the slow end, and its percentiles are of the questions, not of
what people will ask. Nothing is known of repetition, writes or growth. Answers take the usual time
limit each; the cache is not asked.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import get_args

from pinakes.advise.facts import Facts
from pinakes.advise.measured import latencies, of_now
from pinakes.cache.reader import Freshness
from pinakes.engines.choice import EngineName
from pinakes.errors import ReadModelNotReady, StatementTimeout
from pinakes.figures.histogram import Histogram
from pinakes.figures.recorder import Recorder
from pinakes.query.gallery_query import GalleryQuery
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool, translate_errors
from pinakes.store.queries import load

QUESTIONS = 100
_TAGS = 200
_COLD = Freshness(use_cache=False)
_SQL = load("now", "pinakes.advise.sql")


async def probe(
    pool: Pool, settings: Settings, *, seed: int = 1, on_progress: Callable[[int, int], None] = lambda _d, _t: None
) -> Facts:
    """Asks `QUESTIONS` questions of each engine that is ready; nothing is written.

    Raises:
        StoreError: the database cannot be asked.
    """
    with translate_errors():
        async with pool.acquire() as connection:
            rows = await connection.fetch(_SQL["busiest_tags"], _TAGS)
            now = await of_now(connection, settings)
    asked = questions([row["name"] for row in rows], random.Random(seed))  # noqa: S311 - repeatable, not secret
    # A cursor of a probe is never given out, so any key will do.
    chosen = settings.model_copy(update={"cursor_secret": settings.cursor_secret or secrets.token_hex(32)})
    engines: list[EngineName] = [name for name in get_args(EngineName) if name != "auto"]
    series: dict[str, Histogram] = {}
    for place, engine in enumerate(engines):
        recorder = Recorder(0)
        service = ContentService(pool, chosen, figures=recorder)
        for number, query in enumerate(asked):
            on_progress(place * len(asked) + number, len(engines) * len(asked))
            try:
                with suppress(StatementTimeout):  # counted as failed, with the time it took
                    await service.answer(query, _COLD, engine=engine)
            except ReadModelNotReady:
                break
        series |= {name: histogram for name, histogram in recorder.totals().items() if name == f"engine:{engine}"}
        if engine == quickest(series):
            failed = recorder.totals().get("engine:failed", Histogram())
            answers = Histogram().merge(series[f"engine:{engine}"])
            series |= {"engine:failed": failed, "answer:bypass": answers}
    return Facts(source="probed", **latencies(series), **now)


def quickest(series: dict[str, Histogram]) -> str | None:
    """The engine that would answer: the first that is ready, in the order `auto` asks them."""
    return next((name for name in ("index", "matview", "base") if f"engine:{name}" in series), None)


def questions(tags: list[str], rng: random.Random) -> list[GalleryQuery]:
    """Questions about `tags`, or about everything where there are none; some of every kind and order."""
    asked = []
    for number in range(QUESTIONS):
        some = rng.sample(tags, min(3, len(tags)))
        kind = number % 5
        asked.append(
            GalleryQuery(
                tags_all=tuple(some[: (0, 1, 2, 0, 1)[kind]]),
                tags_any=tuple(some) if kind == 3 else (),
                tags_none=tuple(some[1:2]) if kind == 4 else (),
                sort_field=rng.choice(("created_at", "created_at", "quality_score", "title")),
                page=rng.choice((1, 1, 1, 20)),
            )
        )
    return asked
