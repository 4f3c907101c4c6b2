"""What one process takes on: so many requests at a time, and so much work for each caller.

`Gate` counts the requests being worked on and refuses the next at once (503); one whose body is still coming is not
worked on. Health and metrics pass
always: who looks after an overloaded server must be able to see it.

`RateLimit` gives each caller a bucket of `burst` units that fills by `per_second` (a token bucket: Turner 1986, "New
Directions in Communications"). A request takes one unit when it first reads from the database, and another for each
hundredth of a second that it reads or has something evaluated (`store.meter`); what takes long or goes on side by side
is owed, up to another `burst`. Who has less than one unit is refused (429) and told when to come again. What is
answered from the cache, health, metrics and writes take none. A caller is the user of the token or session, else the
address, of IPv6 its /64 network. `CALLERS` buckets at most are kept; the one longest unused is forgotten, which
can only make us kinder. Each process counts for itself: N workers allow up to N times as much.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pinakes.api.connections import Connections, peer_of
from pinakes.api.problem import problem_response
from pinakes.api.proxies import caller
from pinakes.errors import Overloaded, TooManyRequests
from pinakes.settings import Settings

CALLERS = 10_000
UNITS_PER_SECOND = 100
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
        connections, peer = self._connections, peer_of(scope)
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


@dataclass(slots=True)
class _Bucket:
    """Units left at a time, less than none where they are owed; and how much work goes on for them."""

    units: float
    at: float
    running: int = 0


class RateLimit:
    """Buckets of units by caller; `per_second` 0 lets everything pass."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = settings.rate_limit_per_second
        self._burst = settings.rate_limit_burst
        self._settings = settings
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.spent = 0.0
        self.refused = 0

    def account(self, request: Request, user_of: Callable[[Request], int | None]) -> Charge | None:
        """What the work for `request` is charged to; None where there is no limit."""
        return Charge(self, request, user_of) if self._per_second > 0 else None

    def take(self, request: Request, user: int | None) -> _Bucket | None:
        """Takes a unit of whoever sent `request`, from the bucket that is returned.

        Raises:
            TooManyRequests: there is none.
        """
        if self._per_second <= 0:
            return None
        caller = f"user {user}" if user is not None else self._address(request)
        bucket = self._buckets.pop(caller, None) or _Bucket(float(self._burst), self._clock())
        self._buckets[caller] = bucket
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        self.settle(bucket)
        if bucket.units < 1:
            self.refused += 1
            wait_s = math.ceil((1 - bucket.units) / self._per_second)
            raise TooManyRequests(retry_after_seconds=max(wait_s, 1))
        bucket.units -= 1
        self.spent += 1
        return bucket

    def settle(self, bucket: _Bucket) -> None:
        """Brings a bucket up to date: what came in, and what the work that goes on took out."""
        now = self._clock()
        took = (now - bucket.at) * UNITS_PER_SECOND * bucket.running
        units = bucket.units + (now - bucket.at) * self._per_second - took
        bucket.units, bucket.at = max(min(units, self._burst), -float(self._burst)), now
        self.spent += took

    def _address(self, request: Request) -> str:
        """The network a caller without a token comes from."""
        try:
            address = ipaddress.ip_address(caller(request, self._settings))
        except ValueError:
            return "unknown"
        if address.version == 6:
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)


class Charge:
    """What one request is charged to: a `meter.Account`. Whose it is, is looked at when there is something to pay."""

    def __init__(self, limit: RateLimit, request: Request, user_of: Callable[[Request], int | None]) -> None:
        self._limit = limit
        self._request = request
        self._user_of = user_of
        self._bucket: _Bucket | None = None

    def admit(self) -> None:
        """One unit for the request; then it may go on to its end. Raises: TooManyRequests."""
        if self._bucket is None:
            self._bucket = self._limit.take(self._request, self._user_of(self._request))

    def begin(self) -> None:
        """Work begins, beside any that is going on."""
        if self._bucket is not None:
            self._limit.settle(self._bucket)
            self._bucket.running += 1

    def end(self) -> None:
        """It ends."""
        if self._bucket is not None:
            self._limit.settle(self._bucket)
            self._bucket.running -= 1
