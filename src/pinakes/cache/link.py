"""One connection to Redis for the whole process: many tasks, one pipeline, one time limit.

Commands of all tasks are written in the order they come, those of one turn of the event loop in one
packet, and replies come back in the same order. That costs a fraction of a connection pool (one
GET: 25 µs instead of 70) and needs no queue for connections. The time limit is that of the oldest
command without a reply: when it passes, the connection is dropped and everything waiting on it
fails at once, so a slow server costs every task one limit and no more. A breaker then keeps
requests away until a probe succeeds.

Replies are bytes, integers, lists or None. An error reply (`-READONLY`, `-OOM`) is raised as
`CacheRefused`, and is no reason to drop the connection; no reply at all is `CacheUnavailable`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Any, TypeAlias

import hiredis

from pinakes.address import RedisAddress
from pinakes.cache.breaker import Breaker
from pinakes.errors import SettingsError

Word: TypeAlias = bytes | str | int
_REFUSED = hiredis.ReplyError
_GRACE = 0.005


class CacheFailure(Exception):
    """Redis did not do what it was asked; never shown to a caller, only counted."""


class CacheUnavailable(CacheFailure):
    """No reply within the time limit, or no connection."""


class CacheRefused(CacheFailure):
    """Redis replied with an error."""


def _read(url: str) -> RedisAddress:
    """Raises SettingsError where the address cannot be read."""
    try:
        return RedisAddress.parse(url)
    except ValueError as error:
        raise SettingsError(f"redis-url: {error}") from None


def _greeting(address: RedisAddress) -> list[tuple[Word, ...]]:
    """The commands a new connection begins with."""
    commands: list[tuple[Word, ...]] = []
    if address.password is not None:
        who = (address.username,) if address.username else ()
        commands.append(("AUTH", *who, address.password))
    if address.db:
        commands.append(("SELECT", address.db))
    commands.append(("CLIENT", "SETNAME", "pinakes-cache"))
    return commands


def _certificates(address: RedisAddress) -> ssl.SSLContext:
    """How the other side is verified; by the certificates this system trusts, unless the address says otherwise.

    Raises:
        CacheUnavailable: a file is not there or holds no certificate.
    """
    files = address.files
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
        if "ssl_certfile" in files:
            context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    except OSError as error:
        raise CacheUnavailable(f"a certificate of redis-url cannot be used: {error.strerror}") from error
    unchecked = files.get("ssl_cert_reqs") == "none"
    if unchecked or files.get("ssl_check_hostname", "true").lower() in ("false", "0", "no"):
        context.check_hostname = False
    if unchecked:
        context.verify_mode = ssl.CERT_NONE
    return context


def _doubt(address: RedisAddress) -> str:
    return " (is this a port that speaks TLS, as rediss:// says?)" if address.tls else ""


class _Wire(asyncio.Protocol):
    """One connection's life: writes commands, hands replies to their futures in order."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._outbox: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._held_up = False

    @property
    def alive(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(f"connection lost: {exc or 'closed by the server'}")

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._held_up = False
        try:
            while (reply := self._reader.gets()) is not False:
                _, future = self._waiting.popleft()
                if not future.done():
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.drop(f"not a Redis reply: {error}")

    def send(self, command: tuple[Word, ...]) -> asyncio.Future[Any]:
        """Puts `command` on its way; the future gets the reply, error replies as values."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self.alive:
            future.set_exception(CacheUnavailable("not connected"))
            return future
        self._waiting.append((self._loop.time() + self._limit, future))
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(hiredis.pack_command(command))  # type: ignore[arg-type]
        if self._watch is None:
            self._watch = self._loop.call_later(self._limit, self._overdue)
        return future

    def _flush(self) -> None:
        data, self._outbox = b"".join(self._outbox), []
        if self.alive:
            assert self._transport is not None
            self._transport.write(data)

    def _overdue(self) -> None:
        """Looks at the oldest command; the watch runs only while something waits."""
        self._watch = None
        if not self._waiting:
            return
        # The grace lets a loop that was itself held up read the replies that came meanwhile.
        left = self._waiting[0][0] + _GRACE - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._overdue)
        elif not self._held_up:
            self._held_up = True
            self._watch = self._loop.call_later(_GRACE, self._overdue)
        else:
            self.drop(f"no reply within {self._limit * 1000:.0f} ms")

    def drop(self, reason: str) -> None:
        """Ends the connection and fails everything that waits on it."""
        if self._transport is not None:
            self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        waiting, self._waiting = self._waiting, deque()
        for _, future in waiting:
            if not future.done():
                future.set_exception(CacheUnavailable(reason))
                future.exception()  # marks it as seen, whoever still waits


class Link:
    """The process's way to Redis."""

    def __init__(self, url: str, *, limit_ms: int = 50, breaker: Breaker | None = None) -> None:
        self.address = _read(url)
        self.breaker = breaker or Breaker()
        self._limit = limit_ms / 1000
        self._wire: _Wire | None = None
        self._connecting: asyncio.Task[_Wire] | None = None

    async def call(self, *command: Word, probe: bool = False) -> Any:
        """The reply to one command.

        Raises:
            CacheUnavailable: no reply in time, or the breaker is open.
            CacheRefused: an error reply.
        """
        (reply,) = await self.pipeline([command], probe=probe)
        return reply

    async def pipeline(self, commands: Iterable[tuple[Word, ...]], *, probe: bool = False) -> list[Any]:
        """The replies to several commands, sent together. Not a transaction.

        Raises:
            CacheUnavailable, CacheRefused: as `call`; the first error reply is raised.
        """
        if not self.breaker.allows(probe=probe):
            raise CacheUnavailable(f"breaker open: {self.breaker.last_error}")
        try:
            wire = self._wire if self._wire is not None and self._wire.alive else await self._connect()
            replies = [await future for future in [wire.send(command) for command in commands]]
        except CacheUnavailable as failure:
            self.breaker.failed(str(failure))
            raise
        self.breaker.succeeded()
        for reply in replies:
            if isinstance(reply, _REFUSED):
                raise CacheRefused(str(reply))
        return replies

    async def _connect(self) -> _Wire:
        """A new connection; tasks that need one at the same time share the attempt."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._open())
            self._connecting.add_done_callback(self._connected)
        return await asyncio.shield(self._connecting)

    def _connected(self, task: asyncio.Task[_Wire]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._wire = task.result()

    async def _open(self) -> _Wire:
        loop = asyncio.get_running_loop()
        address = self.address
        wire = _Wire(self._limit)
        try:
            async with asyncio.timeout(self._limit):
                if address.path is not None:
                    await loop.create_unix_connection(lambda: wire, address.path)
                else:
                    context = _certificates(address) if address.tls else None
                    await loop.create_connection(lambda: wire, address.host, address.port, ssl=context)
        except TimeoutError as error:
            said = f"no answer within {self._limit * 1000:.0f} ms{_doubt(address)}"
            raise CacheUnavailable(f"cannot connect: {said}") from error
        except OSError as error:
            said = f"{str(error) or type(error).__name__}{_doubt(address)}"
            raise CacheUnavailable(f"cannot connect: {said}") from error
        replies = [await future for future in [wire.send(command) for command in _greeting(address)]]
        for reply in replies[:-1]:  # the last, a name for the connection, is a courtesy
            if isinstance(reply, _REFUSED):
                wire.drop("refused")
                raise CacheUnavailable(f"Redis refuses the connection: {reply}")
        return wire

    async def close(self) -> None:
        """Ends the connection."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._wire is not None:
            self._wire.drop("closed")
            self._wire = None
