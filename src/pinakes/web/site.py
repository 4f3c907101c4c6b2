"""The site: the API's application with the pages beside it.

A page's refusal is a page; the API's stays a problem document. What nobody has an address for is a
page where a browser asked, that is outside `/api` and where HTML is accepted.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pinakes.api.app import Methods, create_app
from pinakes.api.connections import Connections
from pinakes.api.problem import on_http_exception, without_slash
from pinakes.errors import NoSuchRoute, SettingsError
from pinakes.settings import Settings
from pinakes.web import page
from pinakes.web.routes import by_path


def create_site(settings: Settings, connections: Connections | None = None) -> FastAPI:
    """The whole site on the databases of `settings`; `connections` and what it raises as `create_app`."""
    app = create_app(settings, connections)
    app.router.routes += [Route(path, Methods(methods, settings)) for path, methods in by_path().items()]
    first = settings.root_path().split("/")[1:2]
    if first and any(getattr(route, "path", "").split("/")[1:2] == first for route in app.router.routes):
        raise SettingsError(f"public-url: its path begins with {first[0]}, where the site has addresses of its own")
    app.add_exception_handler(HTTPException, _on_http_exception)
    return app


async def _on_http_exception(request: Request, error: Exception) -> Response:
    looked_at = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if looked_at and isinstance(error, HTTPException) and error.status_code == 404 and without_slash(request) is None:
        return page.refusal(request, NoSuchRoute(hint="The gallery is at /."))
    return await on_http_exception(request, error)
