"""The load generator: what it asks, what it counts, and that a slow answer is never forgotten."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pinakes.bench.load import questions
from pinakes.bench.load.ladder import climb
from pinakes.bench.load.limit import answering
from pinakes.bench.load.run import Plan, Target
from pinakes.bench.load.step import Step, arrivals, quantile, run_step

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: 2\r\n\r\nok"

Answer = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def _server(answer: Answer) -> AsyncIterator[str]:
    """A server that gives what `answer` says of each head, and closes the connection after nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                told = await answer(head)
                if not told:
                    return
                writer.write(told)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _step(url: str, rate: float = 200.0, seconds: float = 0.5, connections: int = 4) -> Step:
    return await run_step(url, lambda: GET, rate=rate, seconds=seconds, connections=connections)


async def test_every_request_is_sent_and_counted() -> None:
    async def answer(_: bytes) -> bytes:
        return OK

    async with _server(answer) as url:
        step = await _step(url)
    assert (step.sent, step.errors, len(step.latencies)) == (100, 0, 100)
    assert step.statuses == Counter({200: 100})
    assert step.caches == Counter({"HIT": 100})


async def test_those_who_wait_behind_a_stalled_answer_are_charged_with_the_wait() -> None:
    """With one connection, all requests due while the first is answered are late by what is left of it."""
    stall = asyncio.Event()

    async def answer(_: bytes) -> bytes:
        await stall.wait()
        return OK

    async with _server(answer) as url:
        asyncio.get_running_loop().call_later(0.5, stall.set)
        step = await _step(url, rate=100.0, seconds=0.3, connections=1)
    assert step.sent == 30
    # A client that waits for each answer would have one slow request in thirty; here all are slow.
    assert min(step.latencies) >= 150
    assert max(step.latencies) >= 450


async def test_refusals_and_broken_connections_are_errors_and_the_run_goes_on() -> None:
    told = iter([b"", b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])

    async def answer(_: bytes) -> bytes:
        return next(told, OK)

    async with _server(answer) as url:
        step = await _step(url)
    assert step.sent == 100
    assert step.errors == 3
    assert len(step.latencies) == 97
    assert step.quantile(0.98) == math.inf
    assert not step.held(10_000)


async def test_an_answer_in_pieces_is_one_answer() -> None:
    body = b"x" * 300_000

    async def answer(_: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + body

    async with _server(answer) as url:
        step = await _step(url, rate=50.0)
    assert (step.sent, step.errors) == (25, 0)


async def test_it_can_be_pointed_at_a_server_that_only_answers() -> None:
    async with answering(20_000) as url:
        step = await _step(url, rate=1000.0)
    assert (step.sent, step.errors) == (500, 0)


@pytest.mark.parametrize("rng", [None, random.Random(1)])
def test_arrivals_have_the_rate_asked_for(rng: random.Random | None) -> None:
    times = list(arrivals(1000.0, 10.0, rng))
    assert len(times) == 10_000
    assert times == sorted(times)
    assert times[-1] == pytest.approx(10.0, rel=0.05)


def test_what_was_never_answered_took_for_ever() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5, of=4) == 2.0
    assert quantile([3.0, 1.0, 2.0], 1.0, of=4) == math.inf


@pytest.mark.parametrize("capacity", [50.0, 1234.0, 10_000.0])
async def test_the_ladder_finds_what_a_server_holds(capacity: float) -> None:
    async def run(rate: float) -> Step:
        took = 1.0 if rate <= capacity else 50.0
        return Step(rate, 1.0, sent=round(rate), took_s=1.0, latencies=[took] * round(rate), late=[0.1])

    ladder = await climb(run, 100.0, 10.0)
    if capacity < 100:
        assert ladder.best is None or ladder.best.rate <= capacity
    else:
        assert ladder.best is not None
        assert capacity / 1.15 <= ladder.best.rate <= capacity


async def test_a_step_in_which_the_generator_was_late_is_run_again() -> None:
    runs: Counter[float] = Counter()

    async def run(rate: float) -> Step:
        runs[rate] += 1
        disturbed = runs[rate] < 4 and rate == 100.0
        took = 50.0 if disturbed or rate > 100.0 else 1.0
        return Step(rate, 1.0, sent=10, took_s=0.01, latencies=[took] * 10, late=[20.0 if disturbed else 0.0])

    ladder = await climb(run, 100.0, 10.0)
    assert runs[100.0] == 4
    assert ladder.best is not None


ITEMS: list[dict[str, object]] = [
    {"tags": [{"name": f"tag {n}"} for n in range(number % 7, number % 7 + 3)]} for number in range(50)
]


def test_questions_are_the_same_for_a_seed_and_differ_among_themselves() -> None:
    made = questions.make(ITEMS, 100, random.Random(7))
    assert made == questions.make(ITEMS, 100, random.Random(7))
    assert len(set(made)) == 100
    assert questions.make([], 5, random.Random(7))


def test_the_first_questions_are_asked_most() -> None:
    requests = [b"%d" % number for number in range(50)]
    draw = questions.draw(requests, random.Random(1))
    asked = Counter(draw() for _ in range(10_000))
    assert asked[b"0"] > 3 * asked[b"9"] > 3 * asked[b"49"]
    draw = questions.draw(requests, random.Random(1), uniform=True)
    asked = Counter(draw() for _ in range(10_000))
    assert max(asked.values()) < 2 * min(asked.values())


async def test_items_written_beside_the_reads_do_not_stay() -> None:
    there: set[bytes] = set()
    made = 0

    async def answer(head: bytes) -> bytes:
        nonlocal made
        method, path = head.split(b" ")[:2]
        if method == b"DELETE":
            there.remove(path)
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        if method == b"POST":
            made += 1
            there.add(b"/item/%d" % made)
            return b"HTTP/1.1 201 Created\r\nLocation: /item/%d\r\nContent-Length: 0\r\n\r\n" % made
        return OK

    async def whole(head: bytes) -> bytes:
        # The body of a POST comes before the next head; only its last line matters here.
        return await answer(head[max(head.rfind(b"POST "), head.rfind(b"DELETE "), head.rfind(b"GET ")) :])

    async with _server(whole) as url:
        target = Target(url, Plan(seconds=0.5, connections=2, writes_per_s=50.0, token="t", cache=False))
        await target.prepare(["/"])
        await target.step(50.0)
    assert made > 0
    assert not there
    assert target.last_writes is not None
    assert target.last_writes.errors == 0
