"""Fixtures: the site on the API tests' small gallery."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from api.application import Gallery
from api.conftest import gallery
from pinakes.settings import Settings
from web.site import visiting

__all__ = ["gallery"]


@pytest_asyncio.fixture
async def site(settings: Settings, gallery: Gallery) -> AsyncIterator[httpx.AsyncClient]:
    async with visiting(settings) as client:
        yield client
