"""The application: routes, errors as problem documents, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import pinakes
from pinakes.api import docs_page, encode
from pinakes.api.connections import Connections
from pinakes.api.guard import Guard
from pinakes.api.limits import Gate
from pinakes.api.openapi import description
from pinakes.api.params import LONG
from pinakes.api.problem import on_http_exception, on_pinakes_error, problem_response
from pinakes.api.proxies import Below
from pinakes.api.route import Handler
from pinakes.api.routes import by_path, paths
from pinakes.api.state import open_state, state_of, user_of
from pinakes.errors import MethodNotAllowed, PinakesError
from pinakes.settings import Settings
from pinakes.store import deadline, meter


def create_app(settings: Settings, connections: Connections | None = None) -> FastAPI:
    """The API on the databases of `settings`, which are connected to when it starts.

    `connections` are those of a process that serves it over sockets, to be watched while it does.
    The start raises SettingsError or SchemaMismatch where it cannot serve. A PostgreSQL that is not there
    yet may still come.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_state(settings, connections) as state:
            app.state.pinakes = state
            yield

    app = FastAPI(
        title="Pinakes",
        version=pinakes.__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_middleware(settings, connections),
        exception_handlers={PinakesError: on_pinakes_error, HTTPException: on_http_exception},
    )
    openapi = description(pinakes.__version__, paths())
    openapi["servers"] = [{"url": settings.root_path() or "/"}]
    handlers = by_path()
    handlers["/openapi.json"] = _fixed(Response(encode.to_json(openapi), media_type="application/json"))
    csp = {"content-security-policy": docs_page.CONTENT_SECURITY_POLICY}
    handlers["/docs"] = _fixed(HTMLResponse(docs_page.render(openapi), headers=csp))
    app.router.routes += [Route(path, Methods(methods, settings)) for path, methods in handlers.items()]
    app.openapi = lambda: openapi  # type: ignore[method-assign]
    return app


def _middleware(settings: Settings, connections: Connections | None) -> list[Middleware]:
    """The layers around the routes, the outermost first."""
    most, most_bytes = settings.max_concurrent_requests, settings.max_bodies_bytes
    gate = Middleware(Gate, most=most, most_bytes=most_bytes, connections=connections)
    layers = [Middleware(Guard, connections=connections), gate]
    if settings.cors_origins is not None:
        exposed = ("etag", "age", "x-cache", "location", "retry-after", "x-pinakes-epoch")
        origins = settings.cors_origins.split()
        methods = ("GET", "POST", "PATCH", "DELETE")
        headers = ("authorization", "cache-control", "idempotency-key", "if-match", "if-none-match")
        layers.insert(
            1,
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=methods,
                allow_headers=headers,
                expose_headers=exposed,
            ),
        )
    if settings.root_path():
        layers.insert(0, Middleware(Below, root=settings.root_path()))
    return layers


def _fixed(response: Response) -> dict[str, Handler]:
    async def give(_: Request) -> Response:
        return Response(response.body, headers=dict(response.headers))

    return {"GET": give, "HEAD": give}


class Methods:
    """The methods of one path, as an ASGI application; what is none of them is 405 and told which are."""

    def __init__(self, handlers: dict[str, Handler], settings: Settings) -> None:
        self._limit_ms = settings.statement_timeout_ms
        self._handlers = handlers
        self._allow = {"allow": ", ".join(sorted(handlers))}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        handler = self._handlers.get(request.method)
        if handler is None:
            refusal = MethodNotAllowed(f"{request.method[:20]} is not taken here.", allowed=sorted(self._handlers))
            response = problem_response(refusal, self._allow)
        else:
            if len(scope["query_string"]) > LONG:
                await state_of(request).parser.prepare(scope["query_string"])
            account = state_of(request).rate_limit.account(request, user_of)
            with deadline.within(self._limit_ms), meter.charged_to(account):
                response = await handler(request)
        await response(scope, receive, send)
