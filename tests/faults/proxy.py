"""A proxy between a program and a server's Unix socket, which does to the traffic what networks do.

    async with Proxy(there, here) as proxy: …   `here` is where the program connects

| trouble | what happens |
|---|---|
| `cut()` | every connection ends at once, in the middle of whatever it says |
| `refuse()`, `accept()` | nobody gets in; somebody does again |
| `delay_s` | every piece takes that much longer |
| `stall()`, `flow()` | nothing passes, no connection ends; what was held back passes |
| `halve()` | of the next piece of each connection only a half passes, then the connection ends |
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PIECE = 65_536


class Proxy:
    """Passes bytes on, as long as it likes."""

    def __init__(self, there: Path, here: Path) -> None:
        self.there = there
        self.here = here
        self.delay_s = 0.0
        self.passed = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._halving = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self) -> None:
        """Listens."""
        if self._server is None:
            self.here.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self.here)

    async def refuse(self) -> None:
        """Stops listening, and ends what there is."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.here.unlink(missing_ok=True)
        self.cut()

    def cut(self) -> None:
        """Ends every connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def stall(self) -> None:
        """Lets nothing pass."""
        self._flowing.clear()

    def flow(self) -> None:
        """Lets everything pass, as it was meant."""
        self.delay_s = 0.0
        self._halving = 0
        self._flowing.set()

    def halve(self) -> None:
        """Breaks the next piece on every connection there is."""
        self._halving = max(len(self._open), 1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_unix_connection(self.there)
                self._open |= {writer, far_writer}
                try:
                    await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
                finally:
                    self._open -= {writer, far_writer}
                    far_writer.transport.abort()
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                await self._flowing.wait()
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self._halving:
                    self._halving -= 1
                    writer.write(piece[: len(piece) // 2])
                    break
                self.passed += len(piece)
                writer.write(piece)
                await writer.drain()
        with suppress(OSError):
            await writer.drain()
        writer.close()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        self.flow()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def postgres_socket(database_url: str) -> Path:
    """Where the server of a URL with `?host=/directory` listens."""
    return Path(database_url.partition("?host=")[2]) / ".s.PGSQL.5432"


def through(database_url: str, proxy: Proxy) -> str:
    """The URL of the same database by way of `proxy`."""
    return f"{database_url.partition('?host=')[0]}?host={proxy.here.parent}"
