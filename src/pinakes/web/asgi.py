"""The application for a web server's worker processes: the API and the pages.

granian --interface asgi --factory pinakes.web.asgi:app
"""

from __future__ import annotations

from fastapi import FastAPI

from pinakes.api.connections import Connections
from pinakes.settings import load_settings
from pinakes.web.site import create_site


def app() -> FastAPI:
    """Makes the application of this process."""
    settings = load_settings()
    return create_site(settings, Connections(settings))
