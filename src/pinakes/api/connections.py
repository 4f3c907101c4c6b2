"""Connections: how many there may be, and which are closed so that others are let in.

The web server closes a connection on which no whole header came for `idle-timeout-seconds`, and bodies have
times of their own (`body.py`). What is left is looked at here once in `LOOK_S`, in a thread, by what the kernel
knows (`sockets.py`):

* who takes less of an answer than `least-bytes-per-second` for `send-timeout-seconds` is closed;
* from `CROWDED` of `max-connections` on, the longest idle are closed until `ROOMY` of it are left, then those
  that still send a body, then those that do not take their answer. A connection whose request is being
  worked on is never closed for room;
* where answers that nobody takes add up to more than `max-unread-bytes`, the largest of them are dropped. Until
  then new requests are told 503: what the web server holds for slow callers stays bounded.

So new callers are let in however many idle and slow ones there are; what it costs these is another connection.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from starlette.types import Scope

from pinakes.api import sockets
from pinakes.api.sockets import Caller, Peer
from pinakes.settings import Settings

LOOK_S = 1.0
HURRIED_S = 0.1
PAUSE_S = 0.002
CROWDED, ROOMY = 0.9, 0.75
SETTLED_S = 1.0
"""A connection younger than this is not closed for room: its request may be on the way."""
_OWN_DESCRIPTORS = 200
"""What a process has open beside callers and the connections of its pool."""

Reason: TypeAlias = Literal["unread", "crowded", "memory"]
REASONS: tuple[Reason, ...] = ("unread", "crowded", "memory")

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Taking:
    """Since when, and from how many bytes on, a caller is being watched taking an answer."""

    since: float
    acknowledged: int


def most_connections(settings: Settings) -> int:
    """How many connections of callers a process takes: what is set, where the system lets it have as many."""
    room = sockets.most_descriptors() - _OWN_DESCRIPTORS - settings.pool_max_size
    return max(min(settings.max_connections, room), 16)


def peer_of(scope: Scope) -> Peer | None:
    """Address and port of the other side of a request's connection; None where it has none, as a Unix socket."""
    client = scope.get("client")
    return None if client is None else (client[0], str(client[1]))


class Connections:
    """The callers' connections of one process.

    The event loop says what it works on (`enter`, `receiving`, `give`, `leave`); a thread looks at the rest.
    """

    def __init__(self, settings: Settings) -> None:
        self.most = most_connections(settings)
        self._most_bytes = settings.max_unread_bytes
        self._timeout_s = settings.send_timeout_seconds
        self._least = settings.least_bytes_per_second
        self._working: set[Peer] = set()
        self._receiving: set[Peer] = set()
        self._given: dict[Peer, int] = {}
        self._taking: dict[tuple[int, Peer], _Taking] = {}
        self.open = 0
        self.idle = 0
        self.unread_bytes = 0
        """Bytes of answers that are not known to have been taken."""
        self.closed: Counter[Reason] = Counter()
        self._hurry = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._look_for_ever, name="connections", daemon=True)

    # The event loop's side

    def enter(self, scope: Scope) -> Peer | None:
        """A request begins, on the connection that is returned; `leave` must follow."""
        peer = peer_of(scope)
        if peer is not None:
            self._working.add(peer)
        return peer

    def receiving(self, peer: Peer, *, now: bool) -> None:
        """Whether the body of a request is being waited for."""
        (self._receiving.add if now else self._receiving.discard)(peer)

    def give(self, peer: Peer, size: int) -> None:
        """So many bytes of an answer go to the web server, which holds them until they are taken."""
        self._given[peer] = self._given.get(peer, 0) + size
        self.unread_bytes += size
        if self.unread_bytes > self._most_bytes // 2:
            self._hurry.set()

    def leave(self, peer: Peer) -> None:
        """The request is answered, for us."""
        self._working.discard(peer)
        self._receiving.discard(peer)

    @property
    def full(self) -> bool:
        """Whether callers leave more of their answers untaken than is held for them."""
        return self.unread_bytes > self._most_bytes

    # The thread's side

    def start(self) -> None:
        """Begins to look, where the system can tell."""
        if sockets.AVAILABLE:
            self._thread.start()
        else:
            _log.warning("on %s, connections that do not take their answers are not closed", sys.platform)

    def stop(self) -> None:
        """Ends looking."""
        self._ending = True
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _look_for_ever(self) -> None:
        ports: frozenset[int] = frozenset()
        while not self._ending:
            pause_s = LOOK_S
            try:
                ports = ports or sockets.ports_listened_on()
                before = set(self._given)
                seen: list[Caller] = []
                for piece in sockets.callers(ports):
                    seen += piece
                    time.sleep(PAUSE_S)
                for caller, reason in self.judge(seen, time.monotonic(), before):
                    if sockets.close(caller, at_once=reason != "crowded"):
                        self.closed[reason] += 1
                        pause_s = HURRIED_S
            except Exception:  # noqa: BLE001 - the next look may succeed, and without any we can be stopped
                _log.exception("connections could not be looked at")
            self._hurry.wait(pause_s)
            if self._hurry.is_set():
                self._hurry.clear()
                time.sleep(HURRIED_S)

    def judge(self, seen: list[Caller], now: float, before: Iterable[Peer]) -> list[tuple[Caller, Reason]]:
        """Which of the connections `seen` are closed at the moment `now`, and why.

        `before`: who had been given something before they were looked at.
        """
        self.open = len(seen)
        self.idle = sum(caller.peer not in self._working for caller in seen)
        for peer in set(before) - {caller.peer for caller in seen if caller.queued}:
            self._given.pop(peer, None)
        slow, closed = self._slow(seen, now)
        held = self.unread_bytes
        for given, caller in sorted(slow, key=lambda each: each[0], reverse=True):
            if held <= self._most_bytes * ROOMY:
                break
            closed.setdefault(caller, "memory")
            held -= given
        if len(seen) - len(closed) > self.most * CROWDED:
            rest = [caller for caller in self._dispensable(seen, slow) if caller not in closed]
            for caller in rest[: len(seen) - len(closed) - int(self.most * ROOMY)]:
                closed[caller] = "crowded"
        return list(closed.items())

    def _slow(self, seen: list[Caller], now: float) -> tuple[list[tuple[int, Caller]], dict[Caller, Reason]]:
        """Who takes an answer too slowly, with the bytes held for each; and those of them whose time is over."""
        slow: list[tuple[int, Caller]] = []
        over: dict[Caller, Reason] = {}
        taking, held = {}, 0
        for caller in seen:
            if not caller.queued:
                continue
            key = caller.descriptor, caller.peer
            watched = taking[key] = self._taking.get(key) or _Taking(now, caller.acknowledged)
            taken, elapsed = caller.acknowledged - watched.acknowledged, now - watched.since
            given = max(self._given.get(caller.peer, 0) - taken, 0)
            held += given
            timely = taken >= self._least * elapsed
            if not timely and elapsed >= SETTLED_S:
                slow.append((given, caller))
            if elapsed < self._timeout_s:
                continue
            if not timely:
                over[caller] = "unread"
                continue
            taking[key] = _Taking(now, caller.acknowledged)  # what it took so far does not excuse it from here on
            if caller.peer in self._given:
                self._given[caller.peer] = given
        self._taking, self.unread_bytes = taking, held
        return slow, over

    def _dispensable(self, seen: list[Caller], slow: list[tuple[int, Caller]]) -> list[Caller]:
        """Who is closed for room: the longest quiet first, of those who do nothing, then of those who send a body."""
        rest = sorted((caller for caller in seen if not caller.queued), key=lambda caller: -caller.quiet_s)
        idle = [caller for caller in rest if caller.peer not in self._working and caller.quiet_s >= SETTLED_S]
        sending = [caller for caller in rest if caller.peer in self._receiving]
        return [*idle, *sending, *(caller for _, caller in slow)]
