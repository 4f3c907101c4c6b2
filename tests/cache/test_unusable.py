"""A Redis that cannot be used: every command that needs it says why, and fails; the doctor says the same."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
import redis.asyncio
from redis.exceptions import RedisError

from pinakes.embedded.redis import PROGRAM
from pinakes.settings import Settings

PASSWORD = "a/b@c 4711"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """A Redis with a password, and a user `ada` with another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM), "--port", str(number), "--bind", "127.0.0.1", "--save", "", "--requirepass", PASSWORD,
        "--maxmemory", "32mb", "--maxmemory-policy", "allkeys-lru", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.asyncio.Redis(port=number, password=PASSWORD)
    async with asyncio.timeout(60), client:
        while True:
            with suppress(RedisError, OSError):
                await client.acl_setuser(
                    "ada", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], categories=["+@all"]
                )
                break
            await asyncio.sleep(0.05)
    yield number
    process.terminate()
    await process.wait()


async def run(settings: Settings, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pinakes.cli.main", *words, env={**os.environ, **settings.environment()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await asyncio.wait_for(process.communicate(), 120))[0].decode()
    assert process.returncode is not None
    return process.returncode, said


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("redis://:wrong-4711@127.0.0.1:{port}/1", "WRONGPASS"),
        ("redis://127.0.0.1:{port}/1", "NOAUTH"),
        ("rediss://:wrong-4711@127.0.0.1:{port}/1", "TLS"),
        ("redis://:a%2Fb%40c%204711@127.0.0.1:{port}/99", "DB index is out of range"),
        ("redis://127.0.0.1:1/1", "refused|Connect call failed"),
        ("unix:///nowhere.sock", "No such file"),
    ],
)
async def test_the_reason_is_said_and_the_command_fails(
    settings: Settings, port: int, address: str, reason: str
) -> None:
    changed = settings.model_copy(update={"redis_url": address.format(port=port)})
    for words in (("cache", "stats"), ("cache", "stats", "--json"), ("cache", "clear"), ("doctor",)):
        code, said = await run(changed, *words)
        assert code == 1, said
        assert any(part in said for part in reason.split("|")), said
        assert "4711" not in said
        assert "Traceback" not in said
        assert "cannot connect: [" not in said.replace("[Errno", "").replace("[SSL", "")


@pytest.mark.parametrize("who", ["", "ada"])
async def test_an_encoded_password_and_a_user_are_taken(settings: Settings, port: int, who: str) -> None:
    url = f"redis://{who}:a%2Fb%40c%204711@127.0.0.1:{port}/3"
    code, said = await run(settings.model_copy(update={"redis_url": url}), "cache", "stats")
    assert code == 0, said
    assert "unknown of" not in said
