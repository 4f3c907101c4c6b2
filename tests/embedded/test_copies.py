"""Data directories that were copied, moved, linked and restored, stopped and running: no two of them ever meet."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import orjson
import psutil
import pytest
import redis.asyncio

from pinakes.embedded import EmbeddedServers
from pinakes.embedded.directory import DataDirectory
from pinakes.embedded.process import Account, is_alive
from pinakes.embedded.sockets import is_private, listens, socket_dir
from pinakes.errors import EmbeddedError
from running import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
LONG = "long-" + "x" * 100
"""A name that leaves no room for a socket, so that the sockets are in the directory for temporary files."""


@pytest.fixture
def home(short_tmp: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = short_tmp / f"c{abs(hash(request.node.nodeid)) % 10**8}"
    path.mkdir(mode=0o755)
    before = set(psutil.pids())
    yield path
    marks = [str(path), *(orjson.loads(file.read_bytes())["id"] for file in path.glob("**/identity.json"))]
    for pid in set(psutil.pids()) - before:  # what a failed test left, and nobody else's
        if any(is_alive(pid, name, mark) for name in ("postgres", "redis-server") for mark in marks):
            os.kill(pid, signal.SIGKILL)


async def note(servers: EmbeddedServers, text: str) -> None:
    """Leaves `text` in the database and in Redis."""
    connection = await asyncpg.connect(servers.database_url)
    await connection.execute(f"CREATE TABLE IF NOT EXISTS notes (text text); INSERT INTO notes VALUES ('{text}')")
    await connection.close()
    async with redis.asyncio.from_url(servers.redis_url) as client:
        await client.set(text, 1)


async def notes(servers: EmbeddedServers) -> tuple[list[str], list[str]]:
    """What is in the database, and in Redis."""
    connection = await asyncpg.connect(servers.database_url)
    rows = await connection.fetch("SELECT text FROM notes ORDER BY text")
    await connection.close()
    async with redis.asyncio.from_url(servers.redis_url, decode_responses=True) as client:
        return [row["text"] for row in rows], sorted(map(str, await client.keys("*")))


def copy(place: Path, to: Path, *more: str) -> None:
    subprocess.run(["cp", "-a", *more, place, to], check=True)


def mounted(*words: str | Path) -> bool:
    """Whether `mount` with these words was allowed to us."""
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0


def unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("name", ["data", LONG])
@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
async def test_a_copy_and_its_original_run_side_by_side_and_never_meet(home: Path, name: str, running: bool) -> None:
    place, other = home / name, home / f"{name}2"
    async with await EmbeddedServers.start(place) as first:
        await note(first, "both")
        if running:
            copy(place, other)
    if not running:
        copy(place, other)
    async with await EmbeddedServers.start(place) as first:
        before = sorted(processes(place))
        async with await EmbeddedServers.start(other) as second:
            assert first.database_url != second.database_url
            assert first.redis_url != second.redis_url
            assert len({*processes(place), *processes(other)}) == 4
            await note(first, "original")
            await note(second, "copy")
            assert await notes(first) == (["both", "original"], ["original"])
            assert await notes(second) == (["both", "copy"], ["copy"])
        assert not processes(other)
        assert sorted(processes(place)) == before
        assert (await notes(first))[0] == ["both", "original"]


async def test_a_copy_of_a_running_directory_started_beside_it_leaves_its_servers_alone(home: Path) -> None:
    async with await EmbeddedServers.start(home / "data") as first:
        await note(first, "original")
        before = sorted(processes(home / "data"))
        copy(home / "data", home / "copy")
        said: list[str] = []
        async with await EmbeddedServers.start(home / "copy", on_status=said.append) as second:
            assert (await notes(second))[0] == ["original"]
            assert any("is a copy" in line for line in said)
            assert any("pinakes check --full" in line for line in said)
        assert sorted(processes(home / "data")) == before
        assert await notes(first) == (["original"], ["original"])


@pytest.mark.parametrize("name", ["data", LONG])
async def test_a_moved_directory_and_a_new_one_in_its_place_never_meet(home: Path, name: str) -> None:
    place, old = home / name, home / "old"
    async with await EmbeddedServers.start(place) as first:
        await note(first, "old")
    place.rename(old)
    async with await EmbeddedServers.start(place) as new:
        await note(new, "new")
        async with await EmbeddedServers.start(old) as first:
            assert (await notes(first))[0] == ["old"]
            await note(first, "old again")
        assert await notes(new) == (["new"], ["new"])


@pytest.mark.parametrize("parent", [False, True], ids=["itself", "its parent"])
async def test_a_directory_renamed_while_it_runs_keeps_its_servers_and_spares_its_successor(
    home: Path, parent: bool
) -> None:
    place = home / "a" / "data" if parent else home / "data"
    old = home / "b" / "data" if parent else home / "old"
    first = await EmbeddedServers.start(place)
    await note(first, "old")
    running = sorted(processes(place))
    place.parent.rename(old.parent) if parent else place.rename(old)
    async with await EmbeddedServers.start(place) as new:
        await note(new, "new")
        async with await EmbeddedServers.start(old) as again:
            assert sorted(processes(old)) == running
            assert (await notes(again))[0] == ["old"]
        await first.stop()
        assert not processes(old)
        assert await notes(new) == (["new"], ["new"])
        await note(new, "still there")  # by a new connection
    assert not processes(place)


async def test_a_link_leads_to_the_same_servers(home: Path) -> None:
    async with await EmbeddedServers.start(home / "data") as first:
        (home / "link").symlink_to(home / "data")
        async with await EmbeddedServers.start(home / "link") as second:
            assert second.database_url == first.database_url
            assert second.redis_url == first.redis_url
        await note(first, "kept")


async def test_a_backup_restored_in_place_of_its_original_is_used(home: Path) -> None:
    async with await EmbeddedServers.start(home / "data") as first:
        await note(first, "before the backup")
    copy(home / "data", home / "backup")
    async with await EmbeddedServers.start(home / "data") as first:
        await note(first, "after the backup")
    shutil.rmtree(home / "data")
    copy(home / "backup", home / "data")
    async with (
        await EmbeddedServers.start(home / "data") as restored,
        await EmbeddedServers.start(home / "backup") as backup,
    ):
        await note(restored, "restored")
        assert (await notes(restored))[0] == ["before the backup", "restored"]
        assert (await notes(backup))[0] == ["before the backup"]


async def test_a_removed_directory_ends_its_servers_and_spares_its_successor(home: Path) -> None:
    first = await EmbeddedServers.start(home / "data")
    running = processes(home / "data")
    shutil.rmtree(home / "data")
    async with await EmbeddedServers.start(home / "data") as new:
        await first.stop()
        assert not [pid for pid in running if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        await note(new, "new")


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="NOT RUN: only root mounts one folder at two places"
)
async def test_another_mount_of_a_directory_leads_to_the_same_servers(home: Path) -> None:
    async with await EmbeddedServers.start(home / "data") as first:
        (home / "mounted").mkdir()
        if not mounted("--bind", home / "data", home / "mounted"):
            pytest.skip("NOT RUN: nothing can be mounted here")
        try:
            async with await EmbeddedServers.start(home / "mounted") as second:
                await note(second, "by the other name")
                assert await notes(first) == (["by the other name"], ["by the other name"])
            assert len(processes(home / "data")) == 2
        finally:
            unmount(home / "mounted")


@pytest.mark.parametrize("how", ["linked", "hard links"])
async def test_a_copy_that_shares_the_cluster_is_refused(home: Path, how: str) -> None:
    place = home / "data"
    async with await EmbeddedServers.start(place) as first:
        if how == "linked":
            copy(place, home / "copy")
            shutil.rmtree(home / "copy" / "pg")
            (home / "copy" / "pg").symlink_to(place / "pg")
        else:
            copy(place, home / "copy", "--link")
        with pytest.raises(EmbeddedError, match="shares its PostgreSQL cluster"):
            await EmbeddedServers.start(home / "copy")
        await note(first, "unharmed")
        assert await notes(first) == (["unharmed"], ["unharmed"])


async def test_servers_that_answer_in_our_place_are_neither_used_nor_ended(home: Path) -> None:
    """As where somebody moved a socket: who answers is asked who it is before anything is done with it."""
    async with await EmbeddedServers.start(home / "data") as first, await EmbeddedServers.start(home / "other"):
        pass
    async with await EmbeddedServers.start(home / "other") as other:
        await note(other, "theirs")
        mine, theirs = (Path((home / name / "socket-dir").read_text()) for name in ("data", "other"))
        for socket_name in (".s.PGSQL.5432", "redis.sock"):
            (mine / socket_name).unlink(missing_ok=True)
            (mine / socket_name).symlink_to(theirs / socket_name)
            with pytest.raises(EmbeddedError, match="Another"):
                await EmbeddedServers.start(home / "data")
            assert await notes(other) == (["theirs"], ["theirs"])
            (mine / socket_name).unlink()
        assert first.database_url != other.database_url
        async with await EmbeddedServers.start(home / "data") as again:
            await note(again, "mine")
        assert await notes(other) == (["theirs"], ["theirs"])


async def test_a_server_whose_sockets_were_removed_is_started_anew(home: Path) -> None:
    first = await EmbeddedServers.start(home / "data")
    await note(first, "kept")
    shutil.rmtree(home / "data" / "run")
    async with await EmbeddedServers.start(home / "data") as again:
        assert (await notes(again))[0] == ["kept"]
        assert len(processes(home / "data")) == 2
    await first.stop()


def test_a_folder_for_sockets_that_others_prepared_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's folder, a link, and one that is open to others, under the name that is noted."""
    temporary, account = home / "tmp", Account()
    temporary.mkdir()
    temporary.chmod(0o1777)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    folder = home / LONG
    folder.mkdir()
    first = socket_dir(folder, "1234abcd", account)
    assert first.parent == temporary
    assert is_private(first, account)
    assert socket_dir(folder, "1234abcd", account) == first

    first.chmod(0o755)
    assert socket_dir(folder, "1234abcd", account) != first
    (folder / "socket-dir").write_text(str(first))
    first.rmdir()
    (temporary / "elsewhere").mkdir(mode=0o700)
    first.symlink_to(temporary / "elsewhere")
    assert socket_dir(folder, "1234abcd", account) != first
    if os.geteuid() == 0:
        first.unlink()
        first.mkdir(mode=0o700)
        os.chown(first, 65534, 65534)
        (folder / "socket-dir").write_text(str(first))
        assert socket_dir(folder, "1234abcd", account) != first
    noted = socket_dir(folder, "1234abcd", account)
    assert socket_dir(folder, "ffff0000", account) != noted  # the note of a copy

    temporary.chmod(0o777)  # whoever may write there may exchange what is in it
    assert socket_dir(folder, "00000001", account).parent != temporary


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: only root can be somebody else")
def test_another_users_directory_is_refused_as_such(home: Path) -> None:
    place = home / "theirs"
    place.mkdir()
    place.chmod(0o777)
    os.chown(place, 65534, 65534)
    os.seteuid(65533)
    try:
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            DataDirectory.open(place)
        os.seteuid(0)
        os.chown(place, 65533, 65533)
        place.chmod(0o555)
        os.seteuid(65533)
        with pytest.raises(EmbeddedError, match="permissions do not let you write"):
            DataDirectory.open(place)
    finally:
        os.seteuid(0)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="NOT RUN: only root mounts a read-only disk"
)
def test_a_read_only_disk_is_called_that(home: Path) -> None:
    place = home / "disk"
    place.mkdir()
    if not mounted("-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", place):
        pytest.skip("NOT RUN: nothing can be mounted here")
    try:
        with pytest.raises(EmbeddedError, match="its disk is read-only"):
            DataDirectory.open(place)
        with pytest.raises(EmbeddedError, match="Read-only file system"):
            DataDirectory.open(place / "new")
    finally:
        unmount(place)


def test_links_that_go_round_in_circles_are_refused(home: Path) -> None:
    (home / "a").symlink_to(home / "b")
    (home / "b").symlink_to(home / "a")
    with pytest.raises(EmbeddedError, match="cannot be used"):
        DataDirectory.open(home / "a")


def test_a_socket_nobody_listens_on_is_no_server(home: Path) -> None:

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / "s"))
        server.listen(0)
        assert listens(home / "s")
    assert not listens(home / "s")
    assert not listens(home / "nothing")
