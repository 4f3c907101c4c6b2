"""The whole site on a small gallery, called without a network in between, and how tests sign in to it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from urllib.parse import urlsplit

import httpx

from api.application import NAMES
from pinakes.api.auth import make_token
from pinakes.settings import Settings
from pinakes.web.session import FIELD, SESSION
from pinakes.web.site import create_site

BROWSER = {"accept": "text/html,application/xhtml+xml"}


@asynccontextmanager
async def visiting(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without scripts at the site with these settings."""
    app = create_site(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gallery", headers=BROWSER) as client:
            yield client


def sign_in(client: httpx.AsyncClient, settings: Settings, user: int, *scopes: str) -> None:
    """From now on `client` is this user."""
    client.cookies.set(SESSION, make_token(settings, user, NAMES.get(user, "nobody"), scopes, 60))


async def send(
    client: httpx.AsyncClient, page: str, fields: Mapping[str, str], action: str | None = None
) -> httpx.Response:
    """Opens `page` and sends its form with `fields`."""
    shown = (await client.get(page)).text
    key = re.search(rf'name="{FIELD}" value="([^"]+)"', shown)
    assert key is not None, shown
    return await client.post(action or urlsplit(page).path, data={FIELD: unescape(key[1]), **fields})
