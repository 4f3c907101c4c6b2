"""A small gallery behind the application, and how tests talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from pinakes.api.app import create_app
from pinakes.api.auth import make_token
from pinakes.query.item import Item
from pinakes.settings import Settings

ADA, BEN, EVE = 1, 2, 3
NAMES = {ADA: "ada", BEN: "ben", EVE: "eve"}


@dataclass(frozen=True)
class Gallery:
    """Three items: public of ada (regular), private of ada (auto), public of ben (auto)."""

    public: Item
    private: Item
    other: Item


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with these settings."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gallery") as client:
            yield client


class Tokens:
    """Authorization headers of the users."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, user: int, *scopes: str) -> dict[str, str]:
        token = make_token(self._settings, user, NAMES.get(user, "nobody"), scopes, 60)
        return {"authorization": f"Bearer {token}"}


def assert_problem(response: httpx.Response, status: int, code: str | None = None) -> dict[str, object]:
    """The problem document in `response`."""
    assert response.status_code == status, (response.status_code, response.text)
    assert response.headers["content-type"] == "application/problem+json"
    members: dict[str, object] = response.json()
    assert members["status"] == status
    assert {"type", "title", "detail", "code", "hint"} <= members.keys()
    assert code is None or members["code"] == code, members
    return members
