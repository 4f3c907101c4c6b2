"""The processes a command runs beside itself: the web server, and whatever joins it.

Each is a module of ours, run with `python -m`, that reads its settings from the environment (secrets
never stand on a command line) and calls `end_with_parent`. Each has a session of its own: Ctrl-C
reaches the parent only, which ends the children before the servers they need.

A child that is `kept` and ends by itself, or is killed, is started again: at once the first time, and later each time
it lived shorter than `STEADY_S`, after twice the time. The end of any other child ends the command.
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
from pinakes.cli.common import status
from pinakes.errors import EmbeddedError, PortBusy
from pinakes.settings import Settings

STOP_S = 20.0
FIRST_S = 0.5
"""How soon a child that ended is started again."""
LONGEST_S = 30.0
"""The longest time before a child is started again that ends each time soon after its start."""
STEADY_S = 60.0
"""A child that lived for so long is started again as if for the first time."""
PORT_BUSY_EXIT = 98
"""The exit code of a child whose port is taken; EADDRINUSE of Linux."""
_TAIL_BYTES = 2000


class Children:
    """Child processes, ended together when the context is left; `log_dir` None leaves them our stderr.

    `extra` are variables they get beside the settings.
    """

    def __init__(self, settings: Settings, log_dir: Path | None = None, extra: Mapping[str, str] | None = None) -> None:
        self._environment = {**os.environ, **settings.environment(), **(extra or {})}
        self._log_dir = log_dir
        self._running: dict[str, Process] = {}
        self._modules: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._kept: set[str] = set()

    async def start(self, name: str, module: str, *, kept: bool = False) -> None:
        """Starts `python -m module`; see `keep` for `kept`."""
        self._modules[name] = module
        await self._launch(name, "wb")
        if kept:
            self.keep(name)

    def keep(self, name: str) -> None:
        """From now on `watch` starts this child again when it ends."""
        self._kept.add(name)

    def release(self) -> None:
        """From now on `watch` starts no child again, since all are about to end."""
        self._kept.clear()

    async def watch(self) -> None:
        """Starts what is kept again. Returns never; raises EmbeddedError when another child ends by itself."""
        watches = [asyncio.ensure_future(self._watch(name)) for name in self._running]
        try:
            done, _ = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
            for watch in done:
                await watch
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, name: str) -> None:
        while True:
            process = self._running[name]
            code = await process.wait()
            if name not in self._kept:
                if code == PORT_BUSY_EXIT:
                    raise PortBusy(f"The port of the process {name!r} is taken by another program")
                raise EmbeddedError(f"The process {name!r} ended unexpectedly{self.last_words()}")
            lived = asyncio.get_running_loop().time() - self._started[name]
            before = self._pauses.get(name, 0.0) if lived < STEADY_S else 0.0
            pause = self._pauses[name] = min(2 * before, LONGEST_S) or FIRST_S
            status(f"The process {name!r} ended {_how(code)}; it is started again in {pause:g} s{self._see(name)}")
            _end_group(process)
            await asyncio.sleep(pause)
            await self._launch(name, "ab")

    async def _launch(self, name: str, mode: str) -> None:
        out = sys.stderr if self._log_dir is None else self._log(name).open(mode)
        try:
            self._running[name] = await child.start(
                self._modules[name],
                variables=self._environment,
                stdin=PIPE,
                stdout=out,
                stderr=STDOUT,
                start_new_session=True,
            )
            self._started[name] = asyncio.get_running_loop().time()
        finally:
            if out is not sys.stderr:
                out.close()

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
            _end_group(process)
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

    def _see(self, name: str) -> str:
        return "" if self._log_dir is None else f", see {self._log(name)}"

    def last_words(self) -> str:
        """The ends of their logs, for a message; empty where they write to our stderr."""
        if self._log_dir is None:
            return ""
        tails = [self._log(name).read_bytes()[-_TAIL_BYTES:].decode(errors="replace") for name in self._running]
        return ":\n" + "\n".join(tails)


def _end_group(process: Process) -> None:
    """Ends what a killed child has left of its own: processes that would hold its port or do its work."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _how(code: int) -> str:
    """An exit code in words."""
    return f"with exit code {code}" if code >= 0 else f"by signal {-code}"
