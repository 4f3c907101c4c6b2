"""The least a program needs: the application works as it, and nothing beyond is allowed."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from api.application import ADA, EVE, Gallery, Tokens, running
from pinakes.errors import StoreError
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.store.roles import make_roles
from pinakes.view.actions import change_policy
from pinakes.worker.loop import running as worker

URL = "/api/v1/content/unified"


def as_user(settings: Settings, user: str) -> Settings:
    url = (settings.database_url or "").replace("pinakes@", f"{user}@")
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
async def users(pool: Pool) -> None:
    """Two users, one a member of each role. Made twice, as an upgrade does."""
    async with pool.acquire() as connection:
        for _ in range(2):
            await make_roles(connection)
        for user, role in (("test_web", "pinakes_app"), ("test_reports", "pinakes_reader")):
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", user):
                await connection.execute(f"CREATE ROLE {user} LOGIN")
            await connection.execute(f"GRANT {role} TO {user}")


@pytest.mark.usefixtures("users")
async def test_the_application_needs_no_more_than_its_role(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """Everything over HTTP as the web role, also after the worker, who owns the tables, exchanged the read model."""
    headers, admin = token(ADA, "content:write"), token(EVE, "admin")
    async with worker(settings), running(as_user(settings, "test_web")) as client:
        for policy in ("incremental", "event"):
            async with asyncio.timeout(120):
                while (await client.get(f"{URL}?use_cache=false")).json()["engine"] == "base":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            body = {"title": f"by {policy}", "tags": ["sunset", policy]}
            made = await client.post("/api/v1/content/auto", json=body, headers={**headers, "idempotency-key": policy})
            assert made.status_code == 201, made.text
            address = made.headers["location"]
            assert (await client.patch(address, json={"tags_add": ["more"]}, headers=headers)).status_code == 200
            assert (await client.delete(address, headers=headers)).status_code == 204
            for path in (
                f"{URL}?q=sunset",
                f"{URL}/facets",
                "/api/v1/tags/suggest?q=s",
                "/api/v1/stats/view",
                "/metrics",
            ):
                assert (await client.get(path)).status_code == 200, path
            alias = await client.post(
                "/api/v1/admin/tag-aliases", json={"alias": f"a-{policy}", "tag": "sunset"}, headers=admin
            )
            assert alias.status_code == 201
            assert (await client.get("/readyz")).status_code == 200
            if policy == "incremental":
                await change_policy(settings, "event")


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE content_tags",
        "ALTER TABLE users ADD COLUMN admin boolean",
        "TRUNCATE content_items CASCADE",
        "DROP TRIGGER dirty_added ON content_tags",
        "CREATE OR REPLACE FUNCTION fold_tag_counts() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        "UPDATE alembic_version SET version_num = '0000'",
        "SET session_replication_role = replica",
        "CREATE ROLE other",
        "COPY users TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
async def test_the_role_of_the_application_may_change_rows_and_nothing_else(settings: Settings, statement: str) -> None:
    connection = await asyncpg.connect(as_user(settings, "test_web").database_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.usefixtures("users")
async def test_a_reader_looks_and_changes_nothing(settings: Settings, gallery: Gallery) -> None:
    connection = await asyncpg.connect(as_user(settings, "test_reports").database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM content_items") == 1
        for statement in (
            "DELETE FROM content_items",
            "INSERT INTO tags (name) VALUES ('x')",
            "CREATE TABLE m (i int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        with pytest.raises(StoreError, match="does not allow this"):
            await make_roles(connection)
    finally:
        await connection.close()
