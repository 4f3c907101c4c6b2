"""The faults: each breaks something for `HOLD_S` seconds or so, and everything is whole again when it returns."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import psutil

from faults.false_time import false_time, library
from faults.installation import Installation
from pinakes.cache.link import CacheFailure, Link
from pinakes.embedded.postgres import BINARIES
from pinakes.embedded.process import run
from running import command_line

HOLD_S = 2.0
Breakage = Callable[[Installation], Awaitable[None]]


class NotHere(Exception):
    """This machine cannot have this fault; says why."""


# PostgreSQL


async def postgres_restarted(site: Installation) -> None:
    await site.control("restart", "-m", "fast")


async def postgres_killed(site: Installation) -> None:
    pid = site.postmaster()
    site.signal_postgres(signal.SIGKILL, backends=False)
    await site.postgres_gone(pid)
    await asyncio.sleep(HOLD_S / 2)
    await site.servers._postgres.start() if site.standby is None else await site.control("start")


async def a_backend_killed(site: Installation) -> None:
    """One backend dies by kill -9: the server ends all others and recovers."""
    backends = [p for p in psutil.Process(site.postmaster()).children() if "pinakes" in command_line(p)]
    with suppress(psutil.NoSuchProcess):
        random.Random(1).choice(backends).kill()
    await asyncio.sleep(HOLD_S)


async def postgres_paused(site: Installation) -> None:
    site.signal_postgres(signal.SIGSTOP, backends=True)
    await asyncio.sleep(HOLD_S)
    site.signal_postgres(signal.SIGCONT, backends=True)


async def out_of_connections(site: Installation) -> None:
    held: list[asyncpg.Connection[asyncpg.Record]] = []
    await site.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE application_name LIKE 'pinakes%' AND pid <> pg_backend_pid()"
    )
    try:
        with suppress(asyncpg.PostgresError, OSError):
            while True:
                held.append(await asyncpg.connect(site.direct_url))
        await asyncio.sleep(HOLD_S)
    finally:
        for connection in held:
            connection.terminate()


async def disk_full(site: Installation) -> None:
    """The file system of the cluster, a small one of its own, is filled to the last byte."""
    data = site.servers._postgres.data
    if os.statvfs(data).f_blocks * os.statvfs(data).f_frsize > 2**31 or site.standby is not None:
        raise NotHere("the cluster is not on a small file system (needs root and a mount)")
    balloon = data.parent / "balloon"
    with balloon.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
    with balloon.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    await asyncio.sleep(HOLD_S)
    balloon.unlink()
    await site.servers._postgres.start()


async def deadlocks(site: Installation) -> None:
    """Two sessions lock the items in opposite orders, again and again, while writers write them."""

    async def lock(order: str) -> None:
        connection = await asyncpg.connect(site.direct_url)
        try:
            await connection.execute("SET deadlock_timeout = '20ms'")
            while asyncio.get_running_loop().time() < until:
                with suppress(asyncpg.DeadlockDetectedError):
                    async with connection.transaction():
                        ids = await connection.fetch(f"SELECT id FROM content_items ORDER BY id {order} LIMIT 6")
                        for row in ids:
                            await connection.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", row["id"])
                            await asyncio.sleep(0.005)
        finally:
            await connection.close()

    until = asyncio.get_running_loop().time() + HOLD_S
    await asyncio.gather(lock("ASC"), lock("DESC"), lock("ASC"))


async def failed_over(site: Installation) -> None:
    """A synchronous replica by pg_basebackup; the primary is killed for good, the replica promoted."""
    if site.standby is not None:
        raise NotHere("it has failed over already")
    account = site.servers._postgres.account
    standby = site.folder / "standby"
    for text in ("wal_level = replica", "max_wal_senders = 5", "wal_keep_size = '64MB'"):
        await site.sql(f"ALTER SYSTEM SET {text}")
    await site.control("restart", "-m", "fast")
    sockets = site.servers._postgres.sockets
    base = [
        str(BINARIES / "pg_basebackup"),
        "-h",
        str(sockets),
        "-U",
        "pinakes",
        "-D",
        str(standby),
        "-R",
        "-c",
        "fast",
    ]
    standby.mkdir(mode=0o700)
    account.own(standby)
    await run(base, account)
    await site.control("start", "-o", "-p 5433 -c hot_standby=on", data=standby)
    await site.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await site.sql("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while await site.sql("SELECT sync_state FROM pg_stat_replication") != "sync":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await asyncio.sleep(HOLD_S)  # writes that the replica has acknowledged
    pid = site.postmaster()
    site.signal_postgres(signal.SIGKILL, backends=False)
    await site.postgres_gone(pid)
    site.standby = standby
    (standby / "postgresql.auto.conf").write_text("wal_level = replica\n")
    account.own(standby / "postgresql.auto.conf")
    await site.control("promote")
    site.postgres.there = sockets / ".s.PGSQL.5433"
    site.direct_url = f"postgresql://pinakes@/pinakes?host={sockets}&port=5433"
    site.postgres.cut()


# Redis


async def _tell(site: Installation, *command: str | int | bytes) -> object:
    link = Link(site.servers.redis_url, limit_ms=5000)
    try:
        answer: object = await link.call(*command)
    except CacheFailure:
        return None
    else:
        return answer
    finally:
        await link.close()


async def redis_restarted(site: Installation) -> None:
    await site.servers._redis.stop()
    await asyncio.sleep(HOLD_S / 2)
    await site.servers._redis.start()


async def redis_killed(site: Installation) -> None:
    for process in _redis(site):
        process.kill()
    await asyncio.sleep(HOLD_S / 2)
    await site.servers._redis.start()


async def redis_flushed(site: Installation) -> None:
    for _ in range(5):
        await _tell(site, "FLUSHALL")
        await asyncio.sleep(HOLD_S / 5)


async def redis_paused(site: Installation) -> None:
    for process in _redis(site):
        process.suspend()
    await asyncio.sleep(HOLD_S)
    for process in _redis(site):
        process.resume()


async def redis_full(site: Installation) -> None:
    await _tell(site, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    await _tell(site, "CONFIG", "SET", "maxmemory", 1)
    await asyncio.sleep(HOLD_S)
    await _tell(site, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    await _tell(site, "CONFIG", "SET", "maxmemory", "256mb")


async def redis_read_only(site: Installation) -> None:
    await _tell(site, "CONFIG", "SET", "replica-serve-stale-data", "yes")
    await _tell(site, "REPLICAOF", "127.0.0.1", 1)
    await asyncio.sleep(HOLD_S)
    await _tell(site, "REPLICAOF", "NO", "ONE")


async def redis_failed_over(site: Installation) -> None:
    """Everything goes back to what a replica knew some time ago: acknowledged writes are lost."""
    keys = await _tell(site, "KEYS", "*")
    assert isinstance(keys, list)
    copies = [(key, await _tell(site, "DUMP", key)) for key in keys[:2000]]
    await asyncio.sleep(HOLD_S / 2)
    await _tell(site, "FLUSHALL")
    for key, copy in copies:
        if isinstance(copy, bytes):
            await _tell(site, "RESTORE", key, 0, copy, "REPLACE")
    await asyncio.sleep(HOLD_S / 2)


def _redis(site: Installation) -> list[psutil.Process]:
    mark = str(site.servers._redis.socket)
    return [p for p in psutil.process_iter(["cmdline"]) if mark in " ".join(p.info["cmdline"] or ())]


# The network


def _network(name: str, which: str) -> Breakage:
    async def broken(site: Installation) -> None:
        proxy = site.postgres if which == "postgres" else site.redis
        for _ in range(4):
            if name == "cut":
                proxy.cut()
            elif name == "halved":
                proxy.halve()
            elif name == "slow":
                proxy.delay_s = 0.1
            elif name == "stalled":
                proxy.stall()
            elif name == "refused":
                await proxy.refuse()
            await asyncio.sleep(HOLD_S / 4)
        proxy.flow()
        await proxy.accept()

    return broken


# Our own programs


async def worker_killed(site: Installation) -> None:
    """At random moments: in the middle of an epoch, a fold, a build."""
    rng = random.Random(2)
    for _ in range(4):
        site.worker.kill()
        await asyncio.sleep(rng.uniform(0.3, HOLD_S / 2))


async def worker_paused(site: Installation) -> None:
    for process in site.worker.family():
        process.suspend()
    await asyncio.sleep(2 * HOLD_S)
    for process in site.worker.family():
        process.resume()


async def server_killed(site: Installation) -> None:
    site.web.kill()
    await asyncio.sleep(HOLD_S)


async def a_server_process_killed(site: Installation) -> None:
    """One that answers; the server starts another."""
    for process in site.web.family()[-1:]:
        process.kill()
    await asyncio.sleep(HOLD_S)


async def idle_and_slow_connections(site: Installation) -> None:
    """Thousands that are silent, stop in a header or a body, or do not take the answer."""
    head = b"%s HTTP/1.1\r\nHost: gallery\r\n"
    kinds = (
        b"",
        (head % b"GET /")[:-2],
        head % b"GET /healthz" + b"\r\n",
        head % b"GET /openapi.json" + b"\r\n",
        head % b"POST /sign-in" + b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 99\r\n\r\na",
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened: list[socket.socket] = []
    try:
        for number in range(min(10_000, hard - 1000)):
            each = socket.socket()
            opened.append(each)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.settimeout(HOLD_S)
            each.connect(("127.0.0.1", site.port))
            each.sendall(kinds[number % len(kinds)])
            if number % 100 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(2 * HOLD_S)
    finally:
        for each in opened:
            each.close()


async def index_folded(site: Installation) -> None:
    """The index is built anew beside the one in use, and the builder killed on the way."""
    command = ("-m", "pinakes.cli.main", "index", "build")
    for seconds in (0.8, 1.6, 60.0):
        environment = {**os.environ, **site.settings.environment()}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()


async def clock_jumps(site: Installation) -> None:
    """The clocks of PostgreSQL, Redis and the host jump by hours, forward and back, alone and together."""
    preload = library()
    if preload is None or site.standby is not None:
        raise NotHere("no library that fakes the time of a process is installed (libfaketime)")
    await false_time(site, preload, HOLD_S)


NETWORK = {
    f"{which} connections {name}": _network(name, which)
    for which in ("postgres", "redis")
    for name in ("cut", "halved", "slow", "stalled", "refused")
}
BREAKAGES: dict[str, Breakage] = {
    "postgres restarted": postgres_restarted,
    "postgres killed (-9)": postgres_killed,
    "a postgres backend killed (-9)": a_backend_killed,
    "postgres paused": postgres_paused,
    "postgres out of connections": out_of_connections,
    "disk full": disk_full,
    "deadlocks": deadlocks,
    "redis restarted": redis_restarted,
    "redis killed (-9)": redis_killed,
    "redis flushed": redis_flushed,
    "redis paused": redis_paused,
    "redis full": redis_full,
    "redis read-only": redis_read_only,
    "redis failed over, writes lost": redis_failed_over,
    **NETWORK,
    "worker killed (-9)": worker_killed,
    "worker paused": worker_paused,
    "server killed (-9)": server_killed,
    "a server process killed (-9)": a_server_process_killed,
    "idle and slow connections": idle_and_slow_connections,
    "index builder killed (-9)": index_folded,
    "clock jumps": clock_jumps,
    "postgres failed over to a replica": failed_over,
}
SHORT = (
    "postgres killed (-9)",
    "postgres connections halved",
    "redis failed over, writes lost",
)
