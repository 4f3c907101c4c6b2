"""Embedded servers: started, shared, taken over and stopped, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis.asyncio

from pinakes.embedded import EmbeddedServers, connected
from pinakes.errors import DiskFull, EmbeddedError, StoreUnavailable
from pinakes.settings import Settings, load_settings
from running import command_line, processes, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

# A program that uses the servers of argv[1], says so, and stops when a line comes in.
USER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from pinakes.embedded import EmbeddedServers

    async def main():
        async with await EmbeddedServers.start(Path(sys.argv[1])):
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)

    asyncio.run(main())
""")


@pytest.fixture
def data_dir(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = short_tmp / f"d{abs(hash(request.node.nodeid)) % 10**8}"
    yield path
    for pid in processes(path):  # what a failed test left
        os.kill(pid, signal.SIGKILL)


async def query(servers: EmbeddedServers, sql: str) -> object:
    connection = await asyncpg.connect(servers.database_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_server_lost_on_a_full_disk_is_a_full_disk(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(data_dir=data_dir)
    with pytest.raises(StoreUnavailable):
        await _lose_the_server(settings)
    monkeypatch.setattr("pinakes.embedded.connect.LOG_SEGMENTS", 1 << 62)
    with pytest.raises(DiskFull, match="PostgreSQL stopped"):
        await _lose_the_server(settings)


async def _lose_the_server(settings: Settings) -> None:
    async with connected(settings):
        raise StoreUnavailable("PostgreSQL cannot be reached")


async def start_user(data_dir: Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", USER, str(data_dir), stdin=pipe, stdout=pipe)


async def said_ready(user: asyncio.subprocess.Process) -> None:
    assert user.stdout is not None
    assert (await asyncio.wait_for(user.stdout.readline(), 120)).strip() == b"ready"


async def test_both_servers_answer_and_nothing_is_left_afterwards(data_dir: Path) -> None:
    said: list[str] = []
    async with await EmbeddedServers.start(data_dir, on_status=said.append) as servers:
        assert str(await query(servers, "SHOW server_version")).startswith("18.")
        assert await query(servers, "SHOW fsync") == "on"
        assert await query(servers, "SHOW synchronous_commit") == "on"
        assert await query(servers, "SELECT datlocprovider::text FROM pg_database WHERE datname = 'pinakes'") == "b"
        async with redis.asyncio.from_url(servers.redis_url) as client:
            assert await client.ping()
            assert client.connection_pool.connection_kwargs["db"] == 1
        assert len(processes(data_dir)) == 2
    assert "Creating the database cluster" in said
    assert not processes(data_dir)


async def test_a_second_start_finds_the_data_and_the_secrets_again(data_dir: Path) -> None:
    async with await EmbeddedServers.start(data_dir) as servers:
        await query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
        secrets = servers.secrets
    said: list[str] = []
    async with await EmbeddedServers.start(data_dir, on_status=said.append) as servers:
        assert await query(servers, "SELECT answer FROM kept") == 42
        assert servers.secrets == secrets
    assert "Creating the database cluster" not in said


async def test_secrets_are_closed_to_others_and_in_no_command_line(data_dir: Path) -> None:
    async with await EmbeddedServers.start(data_dir) as servers:
        assert stat.S_IMODE((data_dir / "secrets.json").stat().st_mode) == 0o600
        lines = [command_line(psutil.Process(pid)) for pid in processes(data_dir)]
        assert not any(servers.secrets.jwt_secret in line or servers.secrets.cursor_secret in line for line in lines)
        assert servers.secrets.jwt_secret not in repr(servers.secrets)


async def test_the_memory_limit_and_the_eviction_policy_reach_redis(data_dir: Path) -> None:
    starting = EmbeddedServers.start(data_dir, redis_max_memory="32mb", redis_eviction_policy="allkeys-lfu")
    async with (
        await starting as servers,
        redis.asyncio.from_url(servers.redis_url, decode_responses=True) as client,
    ):
        assert (await client.config_get("maxmemory"))["maxmemory"] == str(32 * 1024 * 1024)
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "allkeys-lfu"


async def test_of_two_users_the_last_one_stops_the_servers(data_dir: Path) -> None:
    first = await EmbeddedServers.start(data_dir)
    second = await EmbeddedServers.start(data_dir)
    before = sorted(processes(data_dir))
    await first.stop()
    assert sorted(processes(data_dir)) == before
    assert await query(second, "SELECT 1") == 1
    await first.stop()  # once more does nothing
    assert await query(second, "SELECT 1") == 1
    await second.stop()
    assert not processes(data_dir)


async def test_a_killed_user_leaves_servers_that_the_next_one_takes_over_and_stops(data_dir: Path) -> None:
    user = await start_user(data_dir)
    await said_ready(user)
    left = sorted(processes(data_dir))
    user.kill()
    await user.wait()
    assert sorted(processes(data_dir)) == left

    said: list[str] = []
    async with await EmbeddedServers.start(data_dir, on_status=said.append) as servers:
        assert sorted(processes(data_dir)) == left
        assert await query(servers, "SELECT 1") == 1
    assert "Starting PostgreSQL" not in said
    assert not processes(data_dir)


async def test_concurrent_first_starts_make_one_pair_of_servers(data_dir: Path) -> None:
    users = [await start_user(data_dir) for _ in range(3)]
    for user in users:
        await said_ready(user)
    assert len(processes(data_dir)) == 2
    for user in users:
        await user.communicate(b"\n")
        assert user.returncode == 0
    assert not processes(data_dir)


async def test_killed_servers_are_started_again_without_loss(data_dir: Path) -> None:
    servers = await EmbeddedServers.start(data_dir)
    await query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in processes(data_dir):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: not processes(data_dir), "the servers are dead")
    async with await EmbeddedServers.start(data_dir) as again:
        assert await query(again, "SELECT answer FROM kept") == 42
    await servers.stop()
    assert not processes(data_dir)


async def test_pid_files_that_name_a_stranger_do_no_harm(data_dir: Path) -> None:
    async with await EmbeddedServers.start(data_dir):
        notes = (data_dir / "pg" / "postmaster.pid").read_text().splitlines()
    # As after a power failure and a reboot: the pid now belongs to somebody else, here to us.
    text = "\n".join([str(os.getpid()), *notes[1:]]) + "\n"
    (data_dir / "pg" / "postmaster.pid").write_text(text)
    (Path((data_dir / "socket-dir").read_text()) / ".s.PGSQL.5432.lock").write_text(text)
    async with await EmbeddedServers.start(data_dir) as servers:
        assert await query(servers, "SELECT 1") == 1


async def test_a_first_start_that_was_killed_halfway_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "pg.new" / "base"
    half.mkdir(parents=True)
    (half / "rubble").write_text("half a file")
    async with await EmbeddedServers.start(data_dir) as servers:
        assert await query(servers, "SELECT 1") == 1
    assert not (data_dir / "pg.new").exists()


@pytest.mark.parametrize("name", ["x" * 120, "with space, comma: colon % and ü+1'"])
async def test_a_path_unfit_for_sockets_is_no_obstacle(data_dir: Path, name: str) -> None:
    place = data_dir / name
    async with await EmbeddedServers.start(place) as servers:
        assert await query(servers, "SELECT 1") == 1
        sockets = Path((place / "socket-dir").read_text())
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not processes(place)


async def test_a_directory_of_other_things_is_refused_and_left_alone(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "thesis.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="not a Pinakes data directory"):
        await EmbeddedServers.start(data_dir)
    assert [path.name for path in data_dir.iterdir()] == ["thesis.txt"]


async def test_a_file_in_place_of_the_directory_is_refused(data_dir: Path) -> None:
    data_dir.write_text("a file")
    with pytest.raises(EmbeddedError, match="cannot be used"):
        await EmbeddedServers.start(data_dir)


async def test_a_cluster_of_another_version_is_refused(data_dir: Path) -> None:
    async with await EmbeddedServers.start(data_dir):
        pass
    (data_dir / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="PostgreSQL 16"):
        await EmbeddedServers.start(data_dir)
    assert not processes(data_dir)


async def test_a_cancelled_start_leaves_nothing_running(data_dir: Path) -> None:
    started = asyncio.Event()

    def say(message: str) -> None:
        if message == "Starting PostgreSQL":
            started.set()

    starting = asyncio.ensure_future(EmbeddedServers.start(data_dir, on_status=say))
    await started.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not processes(data_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: only root runs servers as another user")
async def test_root_runs_the_servers_as_another_user_behind_closed_parents(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    place = data_dir / "private" / "data"
    place.parent.mkdir(mode=0o700)
    async with await EmbeddedServers.start(place) as servers:
        assert await query(servers, "SELECT 1") == 1
        assert all(psutil.Process(pid).uids().real != 0 for pid in processes(place))
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o701  # may be passed, not listed


async def test_connected_fills_in_what_is_not_set(data_dir: Path) -> None:
    async with connected(load_settings(data_dir=data_dir, redis_db=3)) as live:
        assert live.database_url is not None
        assert live.redis_url is not None
        assert live.redis_url.endswith("db=3")
        assert live.jwt_secret is not None
        assert live.cursor_secret is not None
    own = {"jwt_secret": "j" * 40, "cursor_secret": "c" * 40, "redis_url": "redis://elsewhere:6379/1"}
    async with connected(load_settings(data_dir=data_dir, **own)) as live:
        assert {name: getattr(live, name) for name in own} == own


async def test_connected_starts_nothing_where_a_database_is_set(data_dir: Path) -> None:
    settings = load_settings(data_dir=data_dir, database_url="postgresql://somewhere/x", redis_host="there")
    async with connected(settings) as live:
        assert live.database_url == "postgresql://somewhere/x"
        assert live.redis_url == "redis://there:6379/1"
        assert live.jwt_secret is None
    assert not data_dir.exists()


@pytest.mark.parametrize("name", ["postgres", "redis-server"])
async def test_a_killed_server_is_started_again_at_its_address(
    data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinakes.embedded.servers.WATCH_S", 0.05)
    said: list[str] = []
    async with connected(load_settings(data_dir=data_dir), on_status=said.append) as live:
        assert live.database_url is not None
        connection = await asyncpg.connect(live.database_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
        killed = [pid for pid in processes(data_dir) if psutil.Process(pid).name() == name]
        assert len(killed) == 1
        os.kill(killed[0], signal.SIGKILL)
        await until(lambda: len({*processes(data_dir)} - {*killed}) == 2, "both run again")
        async with asyncio.timeout(60):
            assert await _answer(live) == 42
        assert not {*killed} & {*processes(data_dir)}
    assert any("is gone" in line for line in said)
    assert not processes(data_dir)


async def _answer(live: Settings) -> object:
    """What both servers say, once they do."""
    assert live.database_url is not None
    assert live.redis_url is not None
    while True:
        try:
            async with redis.asyncio.Redis.from_url(str(live.redis_url)) as client:
                await client.set("pinakes-test", 1)
            connection = await asyncpg.connect(live.database_url)
            try:
                return await connection.fetchval("SELECT answer FROM kept")
            finally:
                await connection.close()
        except (redis.RedisError, asyncpg.PostgresError, OSError):
            await asyncio.sleep(0.05)


async def test_of_two_users_one_starts_a_killed_server_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinakes.embedded.servers.WATCH_S", 0.05)
    said: list[str] = []
    settings = load_settings(data_dir=data_dir)
    async with connected(settings, on_status=said.append) as first, connected(settings, on_status=said.append):
        assert first.database_url is not None
        killed = processes(data_dir)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len({*processes(data_dir)} - {*killed}) == 2, "both run again")
    assert said.count("PostgreSQL is gone") == 1
    assert said.count("Redis is gone") == 1
    assert not processes(data_dir)


async def test_a_server_that_cannot_be_started_again_is_told_and_tried_again(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinakes.embedded.servers.WATCH_S", 0.05)
    said: list[str] = []
    async with connected(load_settings(data_dir=data_dir), on_status=said.append) as live:
        version = data_dir / "pg" / "PG_VERSION"
        kept = version.read_text()
        version.write_text("3\n")
        os.kill(next(pid for pid in processes(data_dir) if psutil.Process(pid).name() == "postgres"), signal.SIGKILL)
        await until(lambda: sum("cannot be started again" in line for line in said) >= 2, "it was tried twice")
        assert any("made by PostgreSQL 3" in line for line in said)
        version.write_text(kept)
        await until(lambda: len(processes(data_dir)) == 2, "it runs again")
        assert live.database_url is not None
