"""`pinakes demo` as a person runs it: a process in a terminal, ended by Ctrl-C, killed, started twice."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from pinakes.errors import DemoRunning, DiskFull, PortBusy
from running import command_line, processes, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
PINAKES = [sys.executable, "-m", "pinakes.cli.main"]
PATIENCE_S = 240


@pytest.fixture
def data_dir(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = short_tmp / f"c{abs(hash(request.node.nodeid)) % 10**8}"
    yield path
    for pid in processes(path):
        os.kill(pid, signal.SIGKILL)


@dataclass(slots=True)
class Demo:
    """A demo that runs; `url` is where."""

    process: asyncio.subprocess.Process
    output: list[str]
    url: str = ""

    async def ready(self) -> None:
        """Waits until it says where it serves."""
        assert self.process.stdout is not None
        while not self.url:
            line = (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)).decode()
            assert line, f"ended with {await self.process.wait()}: {''.join(self.output)}"
            self.output.append(line)
            if found := re.match(r"Pinakes serves at (\S+)", line):
                self.url = found[1]

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Sends a signal to the whole process group, as a terminal does, and waits for the end."""
        os.killpg(self.process.pid, number)
        rest, _ = await asyncio.wait_for(self.process.communicate(), PATIENCE_S)
        self.output.append(rest.decode())
        assert self.process.returncode is not None
        return self.process.returncode

    async def total(self) -> int:
        """How many items it serves to a stranger, once its read model has caught up with the filling."""
        async with httpx.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
            while True:
                view = (await client.get(f"{self.url}/api/v1/stats/view")).raise_for_status().json()
                if view["policy"] is None or view["waiting"] == 0:
                    break
                await asyncio.sleep(0.05)
            fresh = {"page_size": "1", "use_cache": "false"}
            answer = await client.get(f"{self.url}/api/v1/content/unified", params=fresh)
            return int(answer.raise_for_status().json()["pagination"]["total_count"])


@asynccontextmanager
async def demo(data_dir: Path, *options: str, wait: bool = True) -> AsyncIterator[Demo]:
    arguments = ["demo", "--data-dir", str(data_dir), *(options or ("--items", "200")), "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *PINAKES, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True
    )
    running = Demo(process, [])
    try:
        if wait:
            await running.ready()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def refused(*arguments: str) -> str:
    """What a demo says that does not start."""
    process = await asyncio.create_subprocess_exec(
        *PINAKES, "demo", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 1, output.decode()
    return output.decode()


def is_dead(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_in_order(data_dir: Path, number: signal.Signals) -> None:
    async with demo(data_dir) as running:
        assert await running.total() > 100
        assert len(processes(data_dir)) == 2
        assert await running.end(number) == 0
        assert is_dead(running.url)
    assert not processes(data_dir)
    assert "Traceback" not in "".join(running.output)
    assert "was not properly shut down" not in (data_dir / "log" / "postgres.log").read_text()


async def test_the_second_start_serves_what_the_first_one_made(data_dir: Path) -> None:
    async with demo(data_dir) as first:
        total = await first.total()
        await first.end()
    async with demo(data_dir, "--workers", "2") as second:
        assert await second.total() == total
        await second.end()
    assert not processes(data_dir)


async def test_an_empty_gallery_may_be_filled_later_and_a_full_one_grow(data_dir: Path) -> None:
    totals = []
    for items in ("0", "100", "300", "50"):
        async with demo(data_dir, "--items", items) as running:
            totals.append(await running.total())
            await running.end()
    assert totals[0] == 0 < totals[1] < totals[2] == totals[3]


async def test_ctrl_c_while_starting_or_filling_leaves_nothing_and_the_next_start_finishes(data_dir: Path) -> None:
    async with demo(data_dir, "--items", "30000", wait=False) as interrupted:
        await until((data_dir / "fill.json").exists, "the fill has begun", PATIENCE_S)
        assert await interrupted.end() == 0
    assert not processes(data_dir)
    async with demo(data_dir, "--workers", "1") as finished:
        total = await finished.total()
        await finished.end()
    async with demo(data_dir, "--items", "30000") as again:
        assert await again.total() == total > 15_000
        await again.end()


async def test_a_killed_demo_takes_its_web_server_with_it_and_the_next_start_just_works(data_dir: Path) -> None:
    async with demo(data_dir) as killed:
        total = await killed.total()
        killed.process.kill()
        await killed.process.wait()
        await until(lambda: is_dead(killed.url), "the web server ends with its demo")
        assert len(processes(data_dir)) == 2
    async with demo(data_dir) as running:
        assert await running.total() == total
        assert await running.end() == 0
    assert not processes(data_dir)


@pytest.mark.parametrize("name", ["postgres", "redis-server", "worker", "web"])
async def test_what_is_killed_under_a_demo_is_started_again(data_dir: Path, name: str) -> None:
    async with demo(data_dir) as running:
        total = await running.total()
        if name in {"worker", "web"}:
            found = [
                each
                for each in psutil.Process(running.process.pid).children()
                if f"pinakes.cli.{name}" in command_line(each)
            ]
        else:
            found = [psutil.Process(pid) for pid in processes(data_dir) if psutil.Process(pid).name() == name]
        assert len(found) == 1
        found[0].kill()
        said = ""
        assert running.process.stdout is not None
        while not re.search(r"is gone|is started again", said):
            said = (await asyncio.wait_for(running.process.stdout.readline(), PATIENCE_S)).decode()
            assert said
        # What is asked for writes nothing and reads rows, so it needs the web server and PostgreSQL.
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(httpx.HTTPError, AssertionError):
                    assert await running.total() == total
                    break
                await asyncio.sleep(0.1)
        await until(lambda: len(processes(data_dir)) == 2, "both servers run", PATIENCE_S)
        assert await running.end() == 0
        assert is_dead(running.url)
    assert not processes(data_dir)
    assert "Traceback" not in "".join(running.output)


async def test_a_second_demo_is_told_where_the_first_one_is(data_dir: Path) -> None:
    async with demo(data_dir, "--items", "0") as running:
        said = await refused("--data-dir", str(data_dir), "--port", "0")
        assert running.url in said
        assert DemoRunning.code in said
        assert await running.total() == 0  # undisturbed
        await running.end()


async def test_a_busy_port_is_found_before_the_long_work(data_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = await refused("--data-dir", str(data_dir), "--port", port)
    assert PortBusy.code in said
    assert port in said
    assert not (data_dir / "pg").exists()


async def test_the_other_commands_use_the_servers_of_a_running_demo(data_dir: Path) -> None:
    async with demo(data_dir) as running:
        token = ["token", "--data-dir", str(data_dir), "--user", "ada", "--create"]
        process = await asyncio.create_subprocess_exec(*PINAKES, *token, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {output.decode().strip()}"}) as client:
            answer = await client.get(f"{running.url}/api/v1/content/unified", params={"creator_filter": "user"})
            assert answer.status_code == 200
            creators = {item["creator_username"] for item in answer.json()["items"]}
            assert creators <= {"ada"}
        await running.end()


@pytest.fixture
def small_disk(short_tmp: Path) -> Iterator[Path]:
    """A file system of 400 MB."""
    place = short_tmp / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=755", "tmpfs", str(place)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("NOT RUN: a small disk can be mounted by root only")
    yield place
    for pid in processes(place / "data"):
        os.kill(pid, signal.SIGKILL)
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


async def test_too_small_a_disk_is_refused_before_and_named(small_disk: Path) -> None:
    data_dir = small_disk / "data"
    said = await refused("--data-dir", str(data_dir), "--port", "0", "--items", "1000000")
    assert DiskFull.code in said
    assert str(data_dir) in said
    assert not processes(data_dir)


async def test_a_disk_that_fills_up_is_named_and_the_demo_works_once_there_is_room(small_disk: Path) -> None:
    data_dir = small_disk / "data"
    async with demo(data_dir, "--items", "0") as running:
        await running.end()
    ballast = small_disk / "ballast"
    async with demo(data_dir, "--items", "20000", wait=False) as running:
        await until((data_dir / "fill.json").exists, "the fill has begun", PATIENCE_S)
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - 1024 * 1024)
        output, _ = await asyncio.wait_for(running.process.communicate(), PATIENCE_S)
        assert running.process.returncode == 1, output.decode()
        assert DiskFull.code in output.decode()
    assert not processes(data_dir)
    ballast.unlink()
    async with demo(data_dir, "--items", "20000") as running:
        assert await running.total() > 10_000
        await running.end()
