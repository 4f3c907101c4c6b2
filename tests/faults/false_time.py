"""Clock jumps: PostgreSQL, Redis, the worker and the web server under clocks of their own that jump by hours.

libfaketime (Debian: `libfaketime`, or where `LIBFAKETIME` points) reads how far a process is off from a file, so a line
written there is a jump. Monotonic clocks stay true, as they do on a machine whose time is set.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

from faults.installation import Installation, answering
from pinakes.cache.link import Link
from pinakes.embedded.postgres import BINARIES
from pinakes.embedded.process import run

VARIABLE = "LIBFAKETIME"
PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
JUMPS = (
    {"postgres": "+3h"},
    {"postgres": "+0"},
    {"host": "+5h"},
    {"host": "-5h"},
    {"redis": "+3h", "host": "+0"},
    {"redis": "-1h"},
    {"postgres": "-2h", "redis": "+0"},
    {"postgres": "+7h", "redis": "+7h", "host": "+7h"},
    {"postgres": "+0", "redis": "+0", "host": "+0"},
)


def library() -> Path | None:
    """The library, where it is installed; the one for programs with threads."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    return next((found for place in PLACES for found in Path(place).glob("**/faketime/libfaketimeMT.so.1")), None)


class Clocks:
    """A file for each clock, and the environment that makes a program go by it."""

    def __init__(self, folder: Path, preload: Path) -> None:
        self._folder = folder
        self._preload = preload
        folder.mkdir(exist_ok=True)
        for clock in ("postgres", "redis", "host"):
            self.jump(clock, "+0")

    def jump(self, clock: str, offset: str) -> None:
        """From now on `clock` is `offset` off the true time; at once, so nobody reads half a line."""
        new = self._folder / f"{clock}.new"
        new.write_text(f"{offset}\n")
        new.chmod(0o644)
        new.replace(self._folder / clock)

    def environment(self, clock: str) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self._preload),
            "FAKETIME_TIMESTAMP_FILE": str(self._folder / clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


async def false_time(site: Installation, preload: Path, hold_s: float) -> None:
    """Every jump in turn, each for `hold_s`; then all runs by the true time again, without answers of the false."""
    clocks = Clocks(site.folder / "clocks", preload)
    site.times_are_true = False  # what an answer says of its time is by PostgreSQL's clock
    await _restart(site, clocks)
    for jump in JUMPS:
        for clock, offset in jump.items():
            clocks.jump(clock, offset)
            await _expect(site, clock, offset)
        await asyncio.sleep(hold_s)
    await _restart(site, None)
    link = Link(site.servers.redis_url, limit_ms=5000)
    await link.call("FLUSHALL")
    await link.close()
    site.times_are_true = True


async def _expect(site: Installation, clock: str, offset: str) -> None:
    """Fails where a server does not go by its false clock: then nothing was tried."""
    if clock == "host":
        return
    if clock == "postgres":
        told = float(str(await site.sql("SELECT extract(epoch FROM clock_timestamp())")))
    else:
        link = Link(site.servers.redis_url, limit_ms=5000)
        told = float((await link.call("TIME"))[0])
        await link.close()
    wanted = 3600 * float(offset.rstrip("h"))
    if abs(told - time.time() - wanted) > 60:
        raise RuntimeError(f"the clock of {clock} is {told - time.time():.0f} s off, not {offset}")


async def _restart(site: Installation, clocks: Clocks | None) -> None:
    """All servers and programs anew, by `clocks` or by the true time."""

    def by(clock: str) -> dict[str, str]:
        return {} if clocks is None else clocks.environment(clock)

    postgres, redis = site.servers._postgres, site.servers._redis
    log = postgres.directory.log / "postgres.log"
    command = [str(BINARIES / "pg_ctl"), "restart", "-m", "fast", "-D", str(postgres.data), "-s", "-w", "-l", str(log)]
    await run(_with(by("postgres"), command), postgres.account)
    await redis.stop()
    await run(_with(by("redis"), redis._command()), redis.account)
    for program in (site.web, site.worker):
        program.extra = by("host")
        await program.restart()
    await answering(site)


def _with(environment: Mapping[str, str], command: list[str]) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in environment.items()), *command] if environment else command
