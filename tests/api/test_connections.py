"""Idle and slow connections: however many there are, health and readers are served."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from api.application import ADA, Gallery, Tokens
from api.serving import PATIENCE_S, URL, serve
from pinakes.api.connections import Connections
from pinakes.api.sockets import Caller
from pinakes.settings import Settings, load_settings

WANTED = 10_000
RESERVE = 600
"""Descriptors the test's own process needs for other things."""
GET = b"GET %s HTTP/1.1\r\nHost: gallery\r\n"
LARGE = b"/openapi.json"

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked about connections by TCP_INFO")


def affordable() -> int:
    """How many connections this process may hold; fewer than wanted are said loudly."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard - RESERVE)
    if most < WANTED:
        warnings.warn(f"ONLY {most} CONNECTIONS INSTEAD OF {WANTED}: ulimit -n is {hard}", stacklevel=2)
    return most


@contextmanager
def connections(url: str, count: int, sent: bytes, *, takes: bool = True) -> Iterator[list[socket.socket]]:
    """So many connections that have `sent` this and do nothing more; some do not take what comes."""
    host, port = url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            each = stack.enter_context(socket.socket())
            if not takes:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.settimeout(PATIENCE_S)
            each.connect((host, int(port)))
            each.sendall(sent)
            opened.append(each)
        yield opened


async def all_served(url: str) -> None:
    """Health and a page, each on a connection of its own."""
    for path in ("/healthz", URL):
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
            assert (await client.get(path)).status_code == 200


def kinds(token: Tokens) -> dict[str, bytes]:
    """What each kind of idle or slow connection sends."""
    allowed = token(ADA, "content:write")["authorization"].encode()
    form = b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\nto"
    post = GET.replace(b"GET", b"POST")
    return {
        "silent": b"",
        "half a header": b"GET / HTTP/1.1\r\nHo",
        "idle between requests": GET % b"/healthz" + b"\r\n",
        "a slow form of a page": post % b"/sign-in" + form,
        "a slow question": post % URL.encode() + form,
        "a slow item": post % b"/api/v1/content/auto" + b"authorization: %s\r\ncontent-length: 1000\r\n\r\n{" % allowed,
    }


@linux
@pytest.mark.parametrize("workers", [1, 2])
async def test_ten_thousand_idle_and_slow_connections_leave_health_and_readers_served(
    settings: Settings, gallery: Gallery, token: Tokens, workers: int
) -> None:
    most = affordable()
    patient = {
        "idle_timeout_seconds": 600.0,
        "body_timeout_seconds": 600.0,
        "least_bytes_per_second": 0,
        "workers": workers,
    }
    async with serve(settings.model_copy(update=patient)) as (_, url, _):
        sent = kinds(token)
        with ExitStack() as stack:
            for what in sent.values():
                stack.enter_context(connections(url, most // len(sent), what))
                await all_served(url)
            await all_served(url)


@linux
async def test_where_there_is_no_room_for_more_the_longest_idle_are_closed(
    settings: Settings, gallery: Gallery, token: Tokens
) -> None:
    """Many more connections than the process takes, of every kind: who asks is let in, and a request at work stays."""
    few = {
        "max_connections": 100,
        "idle_timeout_seconds": 600.0,
        "body_timeout_seconds": 600.0,
        "least_bytes_per_second": 0,
    }
    async with serve(settings.model_copy(update=few)) as (_, url, _), httpx.AsyncClient(base_url=url) as client:
        for what in kinds(token).values():
            with connections(url, 300, what):
                await all_served(url)
        text = (await client.get("/metrics", timeout=PATIENCE_S)).text
        assert _sample(text, "pinakes_connections_closed_total{", 'reason="crowded"') >= len(kinds(token)) * 200


@linux
async def test_what_sends_no_header_in_time_is_closed(settings: Settings, gallery: Gallery, token: Tokens) -> None:
    quick = settings.model_copy(update={"idle_timeout_seconds": 1.0})
    async with serve(quick) as (_, url, _):
        for name in ("silent", "half a header", "idle between requests"):
            with connections(url, 1, kinds(token)[name]) as (only,):
                while await asyncio.to_thread(only.recv, 65_536):
                    pass


@linux
async def test_who_does_not_take_an_answer_is_closed_in_time(settings: Settings, gallery: Gallery) -> None:
    quick = settings.model_copy(update={"send_timeout_seconds": 1.0})
    async with serve(quick) as (_, url, _):
        with connections(url, 20, GET % LARGE + b"\r\n", takes=False):
            await _until(url, "unread", 20)


@linux
async def test_what_is_held_for_those_who_do_not_take_it_is_bounded(settings: Settings, gallery: Gallery) -> None:
    """Far from their time, answers are dropped when there are too many; meanwhile others may be told 503."""
    small = {"max_unread_bytes": 2**20, "send_timeout_seconds": 600.0}
    async with serve(settings.model_copy(update=small)) as (_, url, _):
        with connections(url, 200, GET % LARGE + b"\r\n", takes=False):
            await _until(url, "memory", 1)
            async with asyncio.timeout(PATIENCE_S):
                while not await _served(url):  # noqa: ASYNC110 - it is another program that gets there
                    await asyncio.sleep(0.1)
            text = await _until(url, "memory", 1)
            assert _sample(text, "pinakes_connections_unread_bytes{") < 2 * 2**20, "of the 10 MB that were asked for"


async def _served(url: str) -> bool:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        return (await client.get(URL)).status_code == 200


async def _until(url: str, reason: str, count: int) -> str:
    """The metrics, once so many connections were closed for this reason."""
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        while True:
            text = (await client.get("/metrics")).text
            if _sample(text, "pinakes_connections_closed_total{", f'reason="{reason}"') >= count:
                return text
            await asyncio.sleep(0.05)


def _caller(number: int, *, quiet_s: float = 0.0, queued: bool = False, acknowledged: int = 0) -> Caller:
    return Caller(number, ("192.0.2.1", str(number)), quiet_s, queued, acknowledged)


def _scope(caller: Caller) -> dict[str, object]:
    return {"type": "http", "client": caller.peer}


def test_room_is_made_by_closing_the_longest_idle_and_never_whom_we_work_for() -> None:
    watch = Connections(load_settings(max_connections=20))
    seen = [_caller(number, quiet_s=float(number)) for number in range(20)]
    watch.enter(_scope(seen[19]))
    closed = watch.judge(seen, 0.0, ())
    assert [caller.descriptor for caller, _ in closed] == [18, 17, 16, 15, 14]
    assert {reason for _, reason in closed} == {"crowded"}
    assert watch.judge(seen[:18], 0.0, ()) == []


def test_who_still_sends_a_body_goes_before_who_waits_for_an_answer() -> None:
    watch = Connections(load_settings(max_connections=20))
    seen = [_caller(number, quiet_s=5.0) for number in range(20)]
    for caller in seen:
        peer = watch.enter(_scope(caller))
        assert peer is not None
        watch.receiving(peer, now=caller.descriptor < 3)
    assert sorted(caller.descriptor for caller, _ in watch.judge(seen, 0.0, ())) == [0, 1, 2]


def test_an_answer_that_is_taken_quickly_enough_may_take_as_long_as_it_takes() -> None:
    watch = Connections(load_settings(send_timeout_seconds=30, least_bytes_per_second=100))
    slow, stopped = 0, 0
    for second in range(0, 300, 10):
        stopped = min(stopped + 1100, 5000)
        seen = [_caller(1, queued=True, acknowledged=slow), _caller(2, queued=True, acknowledged=stopped)]
        closed = [(caller.descriptor, reason) for caller, reason in watch.judge(seen, float(second), ())]
        assert closed in ([], [(2, "unread")])
        if closed:
            break
        slow += 1100
    assert second == 60, "the first 30 s in which it took less"


def test_answers_that_nobody_takes_are_dropped_the_largest_first() -> None:
    watch = Connections(load_settings(max_unread_bytes=2**20))
    seen = [_caller(number, queued=True) for number in range(10)]
    for caller in seen:
        peer = watch.enter(_scope(caller))
        assert peer is not None
        watch.give(peer, 2**17 + 1000 * caller.descriptor)
        watch.leave(peer)
    assert watch.full
    assert watch.judge(seen, 0.0, ()) == [], "they have only begun"
    assert [caller.descriptor for caller, _ in watch.judge(seen, 2.0, ())] == [9, 8, 7, 6, 5]
    assert watch.judge(seen[:5], 3.0, [caller.peer for caller in seen]) == []
    assert not watch.full


def _sample(text: str, *marks: str) -> float:
    """The sum of the samples with these marks."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if all(mark in line for mark in marks))
