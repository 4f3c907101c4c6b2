"""The client: some connections, one request at a time on each, and no more than that.

HTTP/1.1 over plain sockets with keep-alive. An answer is read by its `content-length`; one without
(chunked, say) is an error, since no route that is measured sends any. What is wanted of an answer
is its status, its `x-cache`, its `location`, and when its last byte came. A loop in which nothing else runs
answers for some 20 µs a request and 20 kB.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CACHE = re.compile(rb"\r\nx-cache: *(\w+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r]+)", re.IGNORECASE)
_BODILESS = frozenset((b"204", b"304"))


@dataclass(slots=True)
class Sent:
    """One request. Times are of `perf_counter`; `intended` is when it was to be sent, `sent` when it was."""

    data: bytes
    intended: float
    sent: float = 0.0
    status: int = 0
    cache: str = ""
    location: str = ""
    done: float = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, client: Client) -> None:
        self._client = client
        self._head = b""
        self._left = 0
        self.request: Sent | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]

    def send(self, request: Sent) -> None:
        assert self.transport is not None
        self.request = request
        request.sent = perf_counter()
        self.transport.write(request.data)

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._head = b""
            if not self._begin(data[:end]):
                return
            self._left -= len(data) - end - 4
        if self._left < 0:
            self._broken()  # more than was announced
        elif not self._left:
            self._end()

    def _begin(self, head: bytes) -> bool:
        """Reads the head of an answer; whether its end will be known."""
        request, status = self.request, head[9:12]
        length = _LENGTH.search(head)
        if request is None or not status.isdigit() or (length is None and status not in _BODILESS):
            self._broken()
            return False
        request.status = int(status)
        cache, location = _CACHE.search(head), _LOCATION.search(head)
        request.cache = cache[1].decode() if cache else ""
        request.location = location[1].decode() if location else ""
        self._left = int(length[1]) if length is not None and status not in _BODILESS else 0
        return True

    def _end(self) -> None:
        request, self.request = self.request, None
        assert request is not None
        request.done = perf_counter()
        self._client.finished(self, request)

    def _broken(self) -> None:
        assert self.transport is not None
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.lost(self)


class Client:
    """Connections to one server, and the requests that wait for one."""

    def __init__(self, url: str, connections: int, on_done: Callable[[Sent], None]) -> None:
        """`on_done` is told each request whose answer came, and each that broke (status 0)."""
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.authority = parts.netloc
        self._count = connections
        self._on_done = on_done
        self._all: set[_Connection] = set()
        self._free: list[_Connection] = []
        self._waiting: deque[Sent] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False
        self.under_way = 0

    async def open(self) -> None:
        """Opens all connections.

        Raises:
            OSError: the server does not take them.
        """
        for _ in range(self._count):
            await self._connect()

    def send(self, request: Sent) -> None:
        """Sends now, or as soon as a connection is free."""
        self.under_way += 1
        if self._free:
            self._free.pop().send(request)
        else:
            self._waiting.append(request)

    def finished(self, connection: _Connection, request: Sent) -> None:
        """An answer is complete."""
        self.under_way -= 1
        self._on_done(request)
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)

    def lost(self, connection: _Connection) -> None:
        """A connection ended, with its request if there was one; another takes its place."""
        self._all.discard(connection)
        if connection in self._free:
            self._free.remove(connection)
        if connection.request is not None:
            self.under_way -= 1
            self._on_done(connection.request)
        if not self._closed:
            task = asyncio.get_running_loop().create_task(self._reconnect())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def give_up(self) -> None:
        """Nothing that waits or is under way is waited for any more; each counts as broken."""
        self._closed = True
        for request in self._waiting:
            self._on_done(request)
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        for connection in list(self._all):
            if connection.transport is not None:
                connection.transport.abort()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), self.host, self.port)
        self._all.add(connection)
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)

    async def _reconnect(self) -> None:
        while not self._closed:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


@dataclass(frozen=True, slots=True)
class Fetched:
    """One answer, read whole."""

    status: int
    body: bytes


async def fetch(url: str, path: str, headers: tuple[str, ...] = ()) -> Fetched:
    """One GET on a connection of its own, for whatever is not measured.

    Raises:
        OSError: there is no answer.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", *headers]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head[9:12].isdigit():
        raise ConnectionError(f"{url} does not speak HTTP/1.1")
    return Fetched(int(head[9:12]), body)
