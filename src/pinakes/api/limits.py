"""What one process takes on: so many requests at a time, and so many costly ones of each caller.

`Gate` counts the requests being worked on and refuses the next at once (503); one whose body is still coming is not
worked on. Health and metrics pass
always: who looks after an overloaded server must be able to see it.

`RateLimit` gives each caller a bucket of `burst` tokens that fills by `per_second` (a token bucket:
Turner 1986, "New Directions in Communications"); a costly request takes one, and without one it is
refused (429) and told when to come again. A caller is the user of the token, else the address, of
IPv6 its /64 network. `CALLERS` buckets at most are kept; the one longest unused is forgotten, which
can only make us kinder. Each process counts for itself: N workers allow up to N times as much.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pinakes.api.connections import Connections
from pinakes.api.problem import problem_response
from pinakes.api.proxies import caller
from pinakes.errors import Overloaded, TooManyRequests
from pinakes.settings import Settings

CALLERS = 10_000
ALWAYS = frozenset({"/healthz", "/readyz", "/metrics"})


class Gate:
    """ASGI middleware: no more than `most` requests at a time, and bodies of `most_bytes` in all."""

    def __init__(self, app: ASGIApp, most: int, most_bytes: int, connections: Connections | None = None) -> None:
        self._app = app
        self._most = most
        self._most_bytes = most_bytes
        self._connections = connections
        self._inside = 0
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the request in, or refuses it."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self._app(scope, receive, send)
            return
        refusal = None
        if self._inside >= self._most:
            refusal = "This process has as many requests as it takes."
        elif self._connections is not None and self._connections.full:
            refusal = "Callers do not take their answers."
        if refusal is not None:
            await problem_response(Overloaded(refusal))(scope, receive, send)
            return
        self._inside += 1
        scope["pinakes.gate"] = self
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
            self._bytes -= scope.get("pinakes.held", 0)

    @asynccontextmanager
    async def outside(self, scope: Scope) -> AsyncIterator[None]:
        """While the body of an admitted request comes, another one may be worked on.

        Raises:
            Overloaded: at the end, where as many are worked on as may be.
        """
        connections, client = self._connections, scope.get("client")
        peer = None if client is None else (client[0], str(client[1]))
        self._inside -= 1
        if connections is not None and peer is not None:
            connections.receiving(peer, now=True)
        try:
            yield
        finally:
            self._inside += 1
            if connections is not None and peer is not None:
                connections.receiving(peer, now=False)
        if self._inside > self._most:
            raise Overloaded("This process has as many requests as it takes.")

    def hold(self, scope: Scope, size: int) -> None:
        """So many bytes more of a request's body are held until it is answered.

        Raises:
            Overloaded: they are more than are held for all.
        """
        if self._bytes + size > self._most_bytes:
            raise Overloaded("This process holds as many bodies of requests as it takes.")
        self._bytes += size
        scope["pinakes.held"] = scope.get("pinakes.held", 0) + size


def gate_of(scope: Scope) -> Gate:
    """The gate that let a request in."""
    gate: Gate = scope["pinakes.gate"]
    return gate


class RateLimit:
    """Token buckets by caller; `per_second` 0 lets everything pass."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = settings.rate_limit_per_second
        self._burst = settings.rate_limit_burst
        self._settings = settings
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Caller -> tokens at a time."""

    def take(self, request: Request, user: int | None) -> None:
        """Takes a token of whoever sent `request`.

        Raises:
            TooManyRequests: there is none.
        """
        if self._per_second <= 0:
            return
        caller = f"user {user}" if user is not None else self._address(request)
        now = self._clock()
        tokens, at = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = math.ceil((1 - tokens) / self._per_second)
            raise TooManyRequests(retry_after_seconds=max(wait_s, 1))

    def _address(self, request: Request) -> str:
        """The network a caller without a token comes from."""
        try:
            address = ipaddress.ip_address(caller(request, self._settings))
        except ValueError:
            return "unknown"
        if address.version == 6:
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)
