"""The drain: a service that is told to end says so at `/readyz` before it turns anybody away.

A balancer learns that a service ends from its probes alone, and they come every few seconds. So for
`drain-delay-seconds` after the first signal `/readyz` fails while everything is still answered; only then are
the children stopped. A second signal ends the delay. The mark all web processes look at is a file, because
they may be started in any way; it is there only where there is a delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from pinakes.api.health import DRAIN_VARIABLE
from pinakes.cli.common import on_signals, status


class Drain:
    """The delay between being told to end and ending; `seconds` 0 is none."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        if self._seconds > 0:
            self._folder = TemporaryDirectory(prefix="pinakes-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def environment(self) -> dict[str, str]:
        """What tells a web process where to look for the mark."""
        return {} if self._folder is None else {DRAIN_VARIABLE: str(self._mark(self._folder))}

    async def after(self, watch: Coroutine[None, None, None], draining: Callable[[], None] = lambda: None) -> None:
        """Runs `watch`, which raises when a child is gone. When cancelled, drains first; `watch` goes on meanwhile.

        `draining` is called when a drain begins.
        """
        task = asyncio.ensure_future(watch)
        try:
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                if self._folder is not None:
                    draining()
                    await self._drain(self._mark(self._folder), task)
                raise
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _drain(self, mark: Path, task: asyncio.Future[None]) -> None:
        """Returns after the delay, at the next signal, or when there is nothing left to drain."""
        again = asyncio.Event()
        on_signals(lambda _: again.set())
        mark.touch()  # noqa: ASYNC240 - one empty file, on the way out
        status(f"Draining for {self._seconds:g} s, then ending; another signal ends it now")
        second = asyncio.create_task(again.wait())
        waits: set[asyncio.Future[Any]] = {task, second}
        await asyncio.wait(waits, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        second.cancel()

    @staticmethod
    def _mark(folder: TemporaryDirectory[str]) -> Path:
        return Path(folder.name) / "draining"
