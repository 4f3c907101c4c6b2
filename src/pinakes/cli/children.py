"""The processes a command runs beside itself: the web server, and whatever joins it.

Each is a module of ours, run with `python -m`, that reads its settings from the environment (secrets
never stand on a command line) and calls `end_with_parent`. Each has a session of its own: Ctrl-C
reaches the parent only, which ends the children before the servers they need.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pinakes import child
from pinakes.errors import EmbeddedError
from pinakes.settings import Settings

STOP_S = 20.0
_TAIL_BYTES = 2000


class Children:
    """Child processes, ended together when the context is left; `log_dir` None leaves them our stderr.

    `extra` are variables they get beside the settings.
    """

    def __init__(self, settings: Settings, log_dir: Path | None = None, extra: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **settings.environment(), **(extra or {})}
        self._log_dir = log_dir
        self._running: dict[str, Process] = {}

    async def start(self, name: str, module: str) -> None:
        """Starts `python -m module`."""
        out = sys.stderr if self._log_dir is None else self._log(name).open("wb")
        try:
            self._running[name] = await child.start(
                module, variables=self._environment, stdin=PIPE, stdout=out, stderr=STDOUT, start_new_session=True
            )
        finally:
            if out is not sys.stderr:
                out.close()

    async def watch(self) -> None:
        """Returns never; raises EmbeddedError when a child ends by itself."""
        waits = {asyncio.ensure_future(process.wait()): name for name, process in self._running.items()}
        try:
            ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        raise EmbeddedError(f"The process {waits[ended.pop()]!r} ended unexpectedly{self.last_words()}")

    async def stop(self) -> None:
        """Ends all, the last started first: asked, waited for, then killed."""
        for process in reversed(self._running.values()):
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what a killed child has left of its own
        self._running.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _log(self, name: str) -> Path:
        assert self._log_dir is not None
        return self._log_dir / f"{name}.log"

    def last_words(self) -> str:
        """The ends of their logs, for a message; empty where they write to our stderr."""
        if self._log_dir is None:
            return ""
        tails = [self._log(name).read_bytes()[-_TAIL_BYTES:].decode(errors="replace") for name in self._running]
        return ":\n" + "\n".join(tails)
