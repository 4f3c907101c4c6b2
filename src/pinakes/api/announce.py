"""Telling Celery of writes, where there is one (`celery-broker-url` is set).

A message only makes a refresh come sooner: what is due stands in PostgreSQL, and beat finds writes
that nobody announced. So it is sent after the answer, and a broker that is down costs a line in
the log. While one announcement is on its way, further writes need none.
"""

from __future__ import annotations

import asyncio
import logging

from pinakes.settings import Settings

_log = logging.getLogger(__name__)


class Announcer:
    """Announces writes from one process."""

    def __init__(self, settings: Settings) -> None:
        self._celery = settings.celery_broker_url is not None
        self._sending: asyncio.Task[None] | None = None

    def wrote(self) -> None:
        """Something was written and committed."""
        if self._celery and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def stop(self) -> None:
        """Waits for the announcement that is on its way."""
        if self._sending is not None:
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        # Imported here: Celery takes half a second and most servers have none.
        from pinakes.worker.celery_app import announce  # noqa: PLC0415

        try:
            await asyncio.to_thread(announce)
        except Exception as error:  # noqa: BLE001  whatever the broker's client raises, the write stands
            _log.warning("a write could not be announced to Celery: %s", error)
