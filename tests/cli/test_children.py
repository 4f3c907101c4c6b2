"""Child processes of a command: kept ones are started again, the end of any other ends the command."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from pinakes.cli import web
from pinakes.cli.children import Children
from pinakes.errors import EmbeddedError, PortBusy
from pinakes.settings import load_settings
from running import until


def running(children: Children, name: str) -> int:
    """The pid of a child."""
    return children._running[name].pid


@pytest.fixture
def modules(tmp_path: Path) -> dict[str, str]:
    """A place of modules with two children: one that stays, and one that ends with a word."""
    (tmp_path / "stays_here.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
    (tmp_path / "ends_soon.py").write_text("raise SystemExit('no reason to stay')\n")
    return {"PYTHONPATH": str(tmp_path)}


async def test_a_kept_child_that_is_killed_is_started_again_and_said_so(
    tmp_path: Path, modules: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    async with Children(load_settings(), tmp_path, modules) as children:
        await children.start("worker", "stays_here", kept=True)
        watch = asyncio.ensure_future(children.watch())
        first = running(children, "worker")
        os.kill(first, signal.SIGKILL)
        await until(lambda: running(children, "worker") != first, "another one is there")
        await until(lambda: (tmp_path / "worker.log").read_text().count("here") >= 1, "it works")
        assert not watch.done()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    said = capsys.readouterr().err
    assert "'worker' ended by signal 9; it is started again in 0.5 s" in said
    assert str(tmp_path / "worker.log") in said


async def test_a_kept_child_that_ends_at_once_is_started_ever_more_seldom(
    tmp_path: Path, modules: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinakes.cli.children.FIRST_S", 0.01)
    monkeypatch.setattr("pinakes.cli.children.LONGEST_S", 0.04)
    async with Children(load_settings(), tmp_path, modules) as children:
        await children.start("worker", "ends_soon", kept=True)
        watch = asyncio.ensure_future(children.watch())
        await until(lambda: (tmp_path / "worker.log").read_text().count("no reason") >= 5, "it was started five times")
        assert not watch.done()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
    said = capsys.readouterr().err
    pauses = [line.split("again in ")[1].split(" s")[0] for line in said.splitlines() if "again in" in line]
    assert pauses[:4] == ["0.01", "0.02", "0.04", "0.04"]


async def test_a_child_that_is_not_kept_ends_the_command_with_its_last_words(
    tmp_path: Path, modules: dict[str, str]
) -> None:
    async with Children(load_settings(), tmp_path, modules) as children:
        await children.start("worker", "stays_here", kept=True)
        await children.start("web", "ends_soon")
        with pytest.raises(EmbeddedError, match="'web' ended unexpectedly") as caught:
            await asyncio.wait_for(children.watch(), 60)
    assert "no reason to stay" in str(caught.value)


async def test_a_port_taken_between_look_and_bind_is_named_as_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = load_settings().model_copy(update={"host": "127.0.0.1", "port": port})
        async with Children(settings, tmp_path) as children:
            with pytest.raises(PortBusy, match="taken by another program"):
                await web.serving(children, "127.0.0.1", port)
        said = (tmp_path / "web.log").read_text()
    assert str(port) in said
    assert "Traceback" not in said
