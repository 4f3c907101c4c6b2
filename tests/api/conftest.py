"""Fixtures: the application on a small gallery, called without a network in between."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from api.application import ADA, BEN, NAMES, Gallery, Tokens, running
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.settings import Settings
from pinakes.store import content
from pinakes.store.content import Author, Draft
from pinakes.store.pool import Pool

REGULAR, AUTO = SOURCE_BY_NAME["regular"], SOURCE_BY_NAME["auto"]


@pytest_asyncio.fixture
async def gallery(pool: Pool) -> Gallery:
    async with pool.acquire() as conn:
        await conn.executemany("INSERT INTO users (id, username) VALUES ($1, $2)", list(NAMES.items()))
        public = Draft(title="Castle at sunset", prompt="oil on canvas", tags=("sunset", "castle"), quality_score=0.5)
        private = Draft(title="Secret garden", tags=("secret", "sunset"), is_private=True)
        other = Draft(title="Boats", tags=("boat", "sunset"))
        return Gallery(
            await content.create(conn, REGULAR, public, Author(ADA)),
            await content.create(conn, AUTO, private, Author(ADA)),
            await content.create(conn, AUTO, other, Author(BEN)),
        )


@pytest_asyncio.fixture
async def client(settings: Settings, gallery: Gallery) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings) as opened:
        yield opened


@pytest.fixture
def token(settings: Settings) -> Tokens:
    return Tokens(settings)
