"""The audit that goes on: of the answers given from the cache, one in so many is computed again.

In the background, one at a time, after the answer was given; so a server under load is audited as
far as it can afford. What it finds is counted for `/metrics` and logged: it is a fault of Pinakes or damage.
"""

from __future__ import annotations

import asyncio
import logging
import random

from pinakes.audit.answers import contradiction
from pinakes.cache.answer import Answer
from pinakes.cache.reader import text_of
from pinakes.errors import PinakesError
from pinakes.query.gallery_query import GalleryQuery
from pinakes.service import ContentService
from pinakes.store import deadline, meter

_log = logging.getLogger(__name__)


class Sampler:
    """Audits one in `one_in` answers of `service`; none where that is 0."""

    def __init__(self, service: ContentService, one_in: int, rng: random.Random | None = None) -> None:
        cache = service.cache
        on = one_in > 0 and cache is not None and cache.options.strategy != "ttl"
        self.share = 1 / one_in if on else 0.0
        self.audited = 0
        self.contradicted = 0
        self._service = service
        self._rng = rng or random.Random()  # noqa: S311 - to choose samples
        self._task: asyncio.Task[None] | None = None

    def consider(self, query: GalleryQuery, answer: Answer) -> None:
        """Audits `answer` to `query` if its turn has come and no other is being audited."""
        if not self.share or not answer.from_cache or self._rng.random() >= self.share:
            return
        if self._task is None or self._task.done():
            with deadline.unbound(), meter.charged_to(None):
                self._task = asyncio.create_task(self._audit(query, answer), name="audit")

    async def _audit(self, query: GalleryQuery, answer: Answer) -> None:
        try:
            found = await contradiction(self._service, query, answer)
        except PinakesError as error:
            _log.info("an answer could not be audited: %s", error.detail)
            return
        self.audited += 1
        if found is not None:
            self.contradicted += 1
            _log.error("a wrong answer was given to %s: %s", text_of(query), found)

    async def stop(self) -> None:
        """Ends what is going on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
