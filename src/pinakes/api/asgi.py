"""The application for a web server's worker processes, which read the settings from their environment.

granian --interface asgi --factory pinakes.api.asgi:app
"""

from __future__ import annotations

from fastapi import FastAPI

from pinakes.api.app import create_app
from pinakes.api.connections import Connections
from pinakes.settings import load_settings


def app() -> FastAPI:
    """Makes the application of this process."""
    settings = load_settings()
    return create_app(settings, Connections(settings))
