"""Guard: the outermost layer. Security headers on every answer, and a last word on exceptions.

It also tells the watch over connections when a request begins, what its answer hands out, and when it ends.

An exception no route expected is logged with its traceback and answered with a problem document
that shows nothing of it. A response that has already begun cannot be changed any more: then the
connection is broken off, so that nobody takes half an answer for a whole one.
"""

from __future__ import annotations

import logging

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pinakes.api.connections import Connections
from pinakes.api.problem import unexpected

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}

_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, connections: Connections | None = None) -> None:
        self._app = app
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        connections = self._connections
        peer = None if connections is None else connections.enter(scope)

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif connections is not None and peer is not None:
                connections.give(peer, len(message.get("body", b"")))
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except ClientDisconnect:
            return
        except Exception:  # this is the last resort for all of them
            _log.exception("unexpected error in %s %s", scope["method"], scope["path"])
            if begun:
                raise
            await unexpected()(scope, receive, guarded)
        finally:
            if connections is not None and peer is not None:
                connections.leave(peer)
