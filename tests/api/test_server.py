"""The application under a real web server, over a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from api.application import ADA, Gallery, Tokens, assert_problem
from pinakes.settings import Settings

PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture
async def served(settings: Settings, gallery: Gallery) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port()
    arguments = ("--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--factory", "pinakes.api.asgi:app")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "granian", *arguments, env={**os.environ, **settings.environment()}
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _until_ready(client, process)
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError(f"the server ended with {process.returncode}")


async def test_a_real_server_answers_writes_and_refuses(served: httpx.AsyncClient, token: Tokens) -> None:
    url = "/api/v1/content/unified"
    answer = await served.get(url, params={"tag_names": "sunset"})
    assert answer.json()["pagination"]["total_count"] == 2
    assert (await served.head(url)).content == b""
    created = await served.post(
        "/api/v1/content/auto", json={"title": "Över ✓", "tags": ["sunset"]}, headers=token(ADA, "content:write")
    )
    assert created.status_code == 201
    again = await served.get(created.headers["location"], headers={"if-none-match": created.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await served.get(url, params={"search_term": "över"})).json()["pagination"]["total_count"] == 1
    assert_problem(await served.get(url, params={"sort_field": "x"}), 400, "PK102")
    assert_problem(await served.get("/nowhere"), 404, "PK701")
    assert_problem(await served.get("/%ff"), 404, "PK701")
    assert_problem(await served.get(url, headers={"authorization": "Bearer x"}), 401)
    assert_problem(await served.get(f"{url}?search_term=" + "x" * 50_000), 422, "PK105")


async def test_a_megabyte_of_search_term_ends_at_the_server(served: httpx.AsyncClient) -> None:
    """Addresses over 64 KiB are refused by the server itself, so without a document; and it lives on."""
    reader, writer = await asyncio.open_connection(served.base_url.host, served.base_url.port)
    request = b"GET /api/v1/content/unified?search_term=" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: gallery\r\n\r\n"
    status = asyncio.create_task(reader.readline())
    writer.write(request)
    assert (await status).split()[1] in {b"400", b"414", b"431"}
    writer.close()
    assert (await served.get("/healthz")).status_code == 200


async def test_a_megabyte_of_search_term_in_a_form_is_told_what_is_allowed(served: httpx.AsyncClient) -> None:
    answer = await served.post("/api/v1/content/unified", data={"search_term": "x" * 1_000_000})
    problem = assert_problem(answer, 422, "PK105")
    assert (problem["parameter"], problem["allowed"]) == ("search_term", "at most 65,536 bytes")
    assert problem["detail"] == "The question is 1,000,012 bytes long."
    assert_problem(await served.post("/api/v1/content/unified", data={"search_term": "x" * 3_000_000}), 413, "PK703")
    assert (await served.get("/healthz")).status_code == 200
