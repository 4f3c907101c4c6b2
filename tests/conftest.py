"""Real servers for the tests: one PostgreSQL and one Redis per pytest worker, one database per test.

The servers start when the first test asks for them. Migrations run once, into a template; every
test that asks for `database_url` gets a clone of it, dropped afterwards, so no test can see
another's rows and tests may commit, truncate and break things as they like.

| fixture | what |
|---|---|
| `servers` | the embedded servers of this pytest worker |
| `database_url` | a fresh migrated database |
| `blank_database_url` | a fresh database without any schema |
| `pool` | an open pool on `database_url` |
| `redis_url` | an empty Redis database |
| `settings` | settings for `database_url` and `redis_url`, nothing from the environment |
| `shared_data` | the folder of real collections; the test skips where it is absent |
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pinakes.embedded import EmbeddedServers
from pinakes.settings import CONFIG_VARIABLE, Settings, load_settings
from pinakes.store.migrate import migrate
from pinakes.store.pool import Pool, open_pool

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

# A person's own settings must not change what the tests see.
for _name in [name for name in os.environ if name.startswith("PINAKES_")]:
    del os.environ[_name]
os.environ[CONFIG_VARIABLE] = ""  # and no file either

# Examples share a database (they clear it themselves) and a database is not always quick.
hypothesis_settings.register_profile(
    "pinakes", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
hypothesis_settings.load_profile("pinakes")

_numbers = count(1)


def pytest_report_header() -> str:
    """Says at the top of every run whether the real collections are there."""
    state = "present" if SHARED_DATA.is_dir() else "ABSENT, tests on real collections will SKIP"
    return f"shared data: {state} ({SHARED_DATA})"


@pytest.fixture(scope="session")
def short_tmp() -> Iterator[Path]:
    """A folder with a path short enough for any socket; readable for the user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="pk-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def servers(short_tmp: Path) -> AsyncIterator[EmbeddedServers]:
    """The servers of this pytest worker."""
    running = await EmbeddedServers.start(short_tmp / "data")
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session")
async def template(servers: EmbeddedServers) -> str:
    """The name of a migrated database to clone."""
    name = "pinakes_template"
    await _execute(servers, f'CREATE DATABASE "{name}" TEMPLATE template0')
    await migrate(with_database(servers.database_url, name))
    return name


@pytest_asyncio.fixture
async def database_url(servers: EmbeddedServers, template: str) -> AsyncIterator[str]:
    """A fresh migrated database, this test's own."""
    async with _database(servers, template) as url:
        yield url


@pytest_asyncio.fixture
async def blank_database_url(servers: EmbeddedServers) -> AsyncIterator[str]:
    """A fresh database without any schema, this test's own."""
    async with _database(servers, "template0") as url:
        yield url


@pytest_asyncio.fixture
async def redis_url(servers: EmbeddedServers) -> str:
    """A Redis database with nothing in it."""
    async with redis.asyncio.from_url(servers.redis_url) as client:
        await client.flushall()
    return servers.redis_url


@pytest.fixture
def settings(short_tmp: Path, database_url: str, redis_url: str) -> Settings:
    """Settings on this test's own databases, with secrets that are no secret."""
    return load_settings(
        data_dir=short_tmp / "data",
        database_url=database_url,
        redis_url=redis_url,
        jwt_secret="a-secret-of-the-tests-and-of-nothing-else",
        # Many tests ask more than a person does; those of the limit set it.
        rate_limit_per_second=0.0,
        cursor_secret="another-secret-of-the-tests-and-of-nothing-else",
    )


@pytest_asyncio.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    """An open pool on this test's database."""
    opened = await open_pool(settings)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real collections."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"SKIPPED FOR LACK OF DATA: the real collections are expected in {SHARED_DATA}")
    return SHARED_DATA


def with_database(url: str, name: str) -> str:
    """`url` with another database name; URLs of a unix socket have no host between the slashes."""
    changed, times = re.subn(r"^(\w+://[^/?]*)/[^?]*", rf"\1/{name}", url)
    assert times == 1, url
    return changed


@asynccontextmanager
async def _database(servers: EmbeddedServers, template: str) -> AsyncIterator[str]:
    name = f"test_{next(_numbers)}"
    await _execute(servers, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield with_database(servers.database_url, name)
    finally:
        await _execute(servers, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _execute(servers: EmbeddedServers, sql: str) -> None:
    connection = await asyncpg.connect(servers.database_url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
