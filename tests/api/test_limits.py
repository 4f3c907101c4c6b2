"""What one process takes on, and what callers beyond that are told."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from api.application import ADA, BEN, Gallery, Tokens, assert_problem, running
from pinakes.api.body import allowed_s
from pinakes.api.limits import CALLERS, RateLimit
from pinakes.errors import TooManyRequests
from pinakes.settings import Settings, load_settings
from pinakes.store.pool import Pool
from web.site import visiting

URL = "/api/v1/content/unified"
HISTOGRAM = "/api/v1/content/unified/histogram?field=created_at"


async def test_who_comes_when_the_queue_is_full_is_told_at_once_and_those_within_are_served(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """One connection to write with, two may wait; reads have another, stored answers and health need none."""
    roomy = {"cache_timeout_ms": 1000, "cache_strategy": "ttl"}
    small = {
        **roomy,
        "pool_min_size": 1,
        "pool_max_size": 1,
        "pool_write_max_size": 1,
        "pool_max_waiting": 2,
        "pool_wait_ms": 600_000,
    }
    patient = {"statement_timeout_ms": 600_000, "engine": "base"}
    item = f"/api/v1/content/regular/{gallery.public.id}"
    write = token(ADA, "content:write")
    async with running(settings.model_copy(update={**small, **patient})) as client, pool.acquire() as blocker:
        async with asyncio.timeout(60):  # until the answer is stored
            while (await client.get(URL)).headers["x-cache"] != "HIT":  # noqa: ASYNC110 - it is the server that gets ready
                await asyncio.sleep(0.01)
        async with blocker.transaction():
            await blocker.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", gallery.public.id)
            asked = [asyncio.create_task(client.patch(item, json={"title": f"t{n}"}, headers=write)) for n in range(20)]
            refused = 0
            while refused < 17:
                done, _ = await asyncio.wait(asked, timeout=60, return_when=asyncio.FIRST_COMPLETED)
                assert done
                for task in done:
                    asked.remove(task)
                    assert_problem(task.result(), 503, "PK705")
                    assert int(task.result().headers["retry-after"]) >= 1
                    refused += 1
            assert (await client.get(item)).status_code == 200
            stored = await client.get(URL)
            assert (stored.status_code, stored.headers["x-cache"]) in {(200, "HIT"), (200, "STALE")}
            assert (await client.get("/healthz")).status_code == 200
            assert not any(task.done() for task in asked)
        assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200] * 3
        assert (await client.get(item)).status_code == 200


async def test_a_connection_that_does_not_come_in_time_is_an_overload(settings: Settings, gallery: Gallery) -> None:
    impatient = settings.model_copy(update={"pool_max_size": 1, "pool_wait_ms": 20, "cache_strategy": "off"})
    async with running(impatient) as client:
        await client.get(URL)  # now there is a connection
        answers = await asyncio.gather(*(client.get(URL) for _ in range(100)))
    told = [answer for answer in answers if answer.status_code != 200]
    assert told
    for answer in told:
        assert_problem(answer, 503, "PK705")


async def test_a_process_works_on_so_many_requests_and_no_more(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    """Writes that wait for a lock keep requests open; health passes all the same."""
    patient = {"max_concurrent_requests": 2, "statement_timeout_ms": 600_000}
    async with running(settings.model_copy(update=patient)) as client, pool.acquire() as blocker:
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", gallery.public.id)
        headers = token(ADA, "content:write")
        item = f"/api/v1/content/regular/{gallery.public.id}"
        asked = [asyncio.create_task(client.patch(item, json={"title": f"t{n}"}, headers=headers)) for n in range(5)]
        for _ in range(3):
            done, _ = await asyncio.wait(asked, timeout=60, return_when=asyncio.FIRST_COMPLETED)
            asked.remove(done.pop())
        refused = await client.get("/api/v1/tags")
        assert_problem(refused, 503, "PK705")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/healthz")).status_code == 200
        await lock.rollback()
        assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200, 200]
        assert (await client.get("/api/v1/tags")).status_code == 200


async def test_who_still_sends_a_body_keeps_nobody_out(settings: Settings, gallery: Gallery, token: Tokens) -> None:
    """More of them than requests are worked on at a time, on routes of the API and of pages."""
    arrive, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def slow(text: bytes) -> Any:
        begun.release()
        await arrive.wait()
        yield text

    few = settings.model_copy(
        update={"max_concurrent_requests": 2, "body_timeout_seconds": 600, "least_bytes_per_second": 0}
    )
    form = {"content-type": "application/x-www-form-urlencoded"}
    routes = [
        ("/api/v1/content/auto", b'{"title": "at last"}', token(ADA, "content:write")),
        ("/api/v1/content/unified", b"page=1", form),
        ("/sign-in", b"token=x", form),
    ]
    async with visiting(few) as client:
        asked = [
            asyncio.create_task(client.post(path, content=slow(text), headers=headers))
            for path, text, headers in routes
            for _ in range(3)
        ]
        for _ in asked:
            await begun.acquire()
        assert (await client.get("/api/v1/tags")).status_code == 200
        arrive.set()
        told = {answer.status_code for answer in await asyncio.gather(*asked)}
        assert told & {200, 201, 403}
        assert told <= {200, 201, 403, 503}, "403: a form that no page gave; 503: all came at the same moment"
        assert (await client.get("/api/v1/tags")).status_code == 200


async def test_bodies_held_at_a_time_are_bounded_in_bytes(settings: Settings, gallery: Gallery, token: Tokens) -> None:
    arrive, begun = asyncio.Event(), asyncio.Semaphore(0)

    async def half() -> Any:
        yield b'{"title": "' + b"x" * 1500
        begun.release()
        await arrive.wait()
        yield b'"}'

    url, headers = "/api/v1/content/auto", token(ADA, "content:write")
    async with running(settings.model_copy(update={"max_bodies_bytes": 3000})) as client:
        first = asyncio.create_task(client.post(url, content=half(), headers=headers))
        await begun.acquire()
        assert_problem(await client.post(url, json={"title": "y" * 2000}, headers=headers), 503, "PK705")
        arrive.set()
        assert (await first).status_code == 201
        assert (await client.post(url, json={"title": "y" * 2000}, headers=headers)).status_code == 201


@pytest.mark.parametrize("path", ["/api/v1/content/auto", "/api/v1/content/unified", "/sign-in"])
@pytest.mark.parametrize("how", ["never", "in crumbs", "compressed"])
async def test_no_route_reads_a_body_that_is_late_or_unreadable(
    settings: Settings, gallery: Gallery, token: Tokens, path: str, how: str
) -> None:
    async def body() -> Any:
        yield b"a" * 100
        if how == "in crumbs":
            for _ in range(2000):
                yield b"a"
        elif how != "compressed":
            await asyncio.Event().wait()

    headers = {} if path.endswith("auto") else {"content-type": "application/x-www-form-urlencoded"}
    headers |= token(ADA, "content:write") | ({"content-encoding": "gzip"} if how == "compressed" else {})
    changes = {"body_timeout_seconds": 0.05} if how == "never" else {}
    async with visiting(settings.model_copy(update=changes)) as client:
        answer = await client.post(path, content=body(), headers=headers)
        assert answer.status_code == {"in crumbs": 400, "compressed": 415}.get(how, 408)


async def test_a_body_that_does_not_come_is_waited_for_no_longer_than_allowed(
    settings: Settings, gallery: Gallery, token: Tokens
) -> None:
    async def never() -> Any:
        yield b'{"title": '
        await asyncio.Event().wait()

    async with running(settings.model_copy(update={"body_timeout_seconds": 0.05})) as client:
        answer = await client.post("/api/v1/content/auto", content=never(), headers=token(ADA, "content:write"))
        assert_problem(answer, 408, "PK707")


def test_a_body_must_keep_coming() -> None:
    settings = load_settings(body_timeout_seconds=30, least_bytes_per_second=1000)
    assert [allowed_s(settings, length) for length in (0, 1000, 10_000, 10**6)] == [5, 6, 15, 30]
    assert allowed_s(load_settings(body_timeout_seconds=30, least_bytes_per_second=0), 0) == 30


COSTLY = (
    "/",
    "/page/grid?q=cas*",
    "/page/facets",
    "/page/histogram",
    "/page/suggest?q=ca&within=tags_all%3Dsunset",
    "/regular/{id}",
    "/tags",
    "/tags/1",
    f"{URL}?q=cas*",
    f"{URL}?page=2",
    f"{URL}?use_cache=false",
    f"{URL}/facets",
    HISTOGRAM,
    f"{URL}/around?source_type=regular&id={{id}}",
    f"{URL}/related?tags_all=sunset",
    "/api/v1/tags",
    "/api/v1/tags/1",
    "/api/v1/tags/1/related",
    "/api/v1/tags/suggest?q=ca&within=tags_all%3Dsunset",
    "/api/v1/content/regular/{id}",
)


@pytest.mark.parametrize("path", COSTLY)
async def test_whatever_reads_the_database_is_counted_and_refused_when_it_was_too_much(
    settings: Settings, gallery: Gallery, token: Tokens, path: str
) -> None:
    """By whichever route or page; others are served meanwhile, and health costs nothing."""
    limited = {"rate_limit_per_second": 0.001, "rate_limit_burst": 1, "cache_strategy": "off"}
    path = path.format(id=gallery.public.id)
    async with visiting(settings.model_copy(update=limited)) as client:
        assert (await client.get(path)).status_code == 200
        refused = await client.get(path)
        assert refused.status_code == 429
        assert "PK706" in refused.text
        assert 1 <= int(refused.headers["retry-after"]) <= 2000
        assert (await client.get("/healthz")).status_code == 200
        if path.startswith("/api"):
            assert_problem(refused, 429, "PK706")
            assert (await client.get(path, headers=token(BEN))).status_code == 200
        text = (await client.get("/metrics")).text
        assert "pinakes_rate_limit_refused_total" in text


async def test_what_the_cache_has_is_given_to_who_has_nothing_left(settings: Settings, gallery: Gallery) -> None:
    limited = {"rate_limit_per_second": 0.001, "rate_limit_burst": 3, "cache_strategy": "ttl", "cache_timeout_ms": 1000}
    async with running(settings.model_copy(update=limited)) as client:
        assert (await client.get(URL)).status_code == 200
        while (await client.get("/api/v1/tags")).status_code == 200:
            pass
        for _ in range(3):
            stored = await client.get(URL)
            assert (stored.status_code, stored.headers["x-cache"]) == (200, "HIT")


def test_work_is_charged_by_the_time_it_takes_and_what_goes_on_side_by_side_adds_up() -> None:
    now = 0.0
    limit = RateLimit(load_settings(rate_limit_per_second=50, rate_limit_burst=1000), clock=lambda: now)
    accounts = [limit.account(_from("192.0.2.1"), lambda _: None) for _ in range(11)]
    for account in accounts[:10]:
        assert account is not None
        account.admit()
        account.begin()
    now += 1  # ten at a time cost 1,000 units a second
    last = accounts[10]
    assert last is not None
    for _ in range(40):
        limit.take(_from("192.0.2.1"), None)
    with pytest.raises(TooManyRequests):
        limit.take(_from("192.0.2.1"), None)
    for account in accounts[:10]:
        assert account is not None
        account.end()
    assert limit.spent == pytest.approx(1000 + 10 + 40, abs=5)
    now += 10
    last.admit()


def test_nobody_who_looks_at_pages_notices_the_limit() -> None:
    """Two pages a second for an hour, each of four parts of 50 ms; nor once a page of 2 s every 5 s."""
    now = 0.0
    limits = [RateLimit(load_settings(), clock=lambda: now) for _ in range(2)]
    for limit, (pause_s, parts, part_s) in zip(limits, ((0.5, 4, 0.05), (5.0, 1, 2.0)), strict=True):
        for _ in range(int(3600 / pause_s)):
            for _ in range(parts):
                account = limit.account(_from("192.0.2.1"), lambda _: None)
                assert account is not None
                account.admit()
                account.begin()
                now += part_s
                account.end()
            now += pause_s


def _from(address: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": (address, 1), "headers": raw})


def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    now = 0.0
    limit = RateLimit(load_settings(rate_limit_per_second=2, rate_limit_burst=3), clock=lambda: now)

    def allowed() -> int:
        count = 0
        while True:
            try:
                limit.take(_from("192.0.2.1"), None)
            except TooManyRequests:
                return count
            count += 1

    assert allowed() == 3
    now += 1
    assert allowed() == 2
    now += 3600
    assert allowed() == 3


def test_callers_are_told_apart_by_user_then_network_and_a_proxy_only_where_it_is_trusted() -> None:
    def refused(limit: RateLimit, request: Request, user: int | None = None) -> bool:
        try:
            limit.take(request, user)
        except TooManyRequests:
            return True
        return False

    once = {"rate_limit_per_second": 0.001, "rate_limit_burst": 1}
    limit = RateLimit(load_settings(**once))
    assert not refused(limit, _from("192.0.2.1"))
    assert refused(limit, _from("192.0.2.1", x_forwarded_for="198.51.100.9"))
    assert not refused(limit, _from("192.0.2.1"), 7)
    assert refused(limit, _from("192.0.2.2"), 7)
    assert not refused(limit, _from("2001:db8:1:2::1"))
    assert refused(limit, _from("2001:db8:1:2:ffff::2"))
    assert not refused(limit, _from("2001:db8:1:3::1"))

    behind = RateLimit(load_settings(**once, client_address_header="x-forwarded-for"))
    assert not refused(behind, _from("10.0.0.1", x_forwarded_for="203.0.113.1"))
    assert refused(behind, _from("10.0.0.1", x_forwarded_for="made-up, 203.0.113.1"))
    assert not refused(behind, _from("10.0.0.1", x_forwarded_for="203.0.113.1, 203.0.113.2"))


def test_callers_remembered_are_bounded() -> None:
    limit = RateLimit(load_settings(rate_limit_per_second=1, rate_limit_burst=1))
    for user in range(CALLERS + 1000):
        limit.take(_from("192.0.2.1"), user)
    assert len(limit._buckets) == CALLERS


async def test_pages_of_other_sites_may_read_only_where_their_origin_is_listed(
    settings: Settings, client: httpx.AsyncClient, token: Tokens
) -> None:
    site = {"origin": "https://gallery.example"}
    named = "authorization, cache-control, content-type, idempotency-key, if-match, if-none-match"
    ask = {**site, "access-control-request-method": "POST", "access-control-request-headers": named}
    for answer in (await client.get(URL, headers=site), await client.options(URL, headers=ask)):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    async with running(settings.model_copy(update={"cors_origins": "https://gallery.example"})) as opened:
        assert (await opened.options(URL, headers=ask)).headers["access-control-allow-origin"] == site["origin"]
        allowed = await opened.get(URL, headers=site)
        assert allowed.headers["access-control-allow-origin"] == site["origin"]
        assert "access-control-allow-credentials" not in allowed.headers
        other = await opened.get(URL, headers={"origin": "https://elsewhere.example"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", ["/api/v1/stats/view", "/api/v1/stats/cache", "/metrics"])
async def test_statistics_can_be_kept_to_administrators(
    settings: Settings, client: httpx.AsyncClient, token: Tokens, path: str
) -> None:
    assert (await client.get(path)).status_code == 200
    async with running(settings.model_copy(update={"stats_public": False})) as closed:
        assert_problem(await closed.get(path), 401)
        assert_problem(await closed.get(path, headers=token(ADA, "content:admin")), 403)
        assert (await closed.get(path, headers=token(ADA, "admin"))).status_code == 200


async def test_a_request_of_many_statements_ends_when_its_time_is_over(
    settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    """Each statement is held up for less than a statement may take."""
    async with pool.acquire() as conn:
        await conn.execute("ALTER TABLE tag_aliases RENAME TO tag_aliases_kept")
        await conn.execute(
            "CREATE VIEW tag_aliases AS SELECT * FROM tag_aliases_kept WHERE (SELECT true FROM pg_sleep(0.1))"
        )
    brief = settings.model_copy(update={"statement_timeout_ms": 500, "cache_strategy": "off"})
    async with running(brief) as client:
        many = " or ".join(f"*{number}*" for number in range(60))
        assert_problem(await client.get(URL, params={"q": many}), 504, "PK402")
        assert (await client.get(URL)).status_code == 200


async def test_writes_to_a_locked_item_end_in_time_and_readers_do_not_wait_for_them(
    settings: Settings, gallery: Gallery, pool: Pool, token: Tokens
) -> None:
    item = f"/api/v1/content/regular/{gallery.public.id}"
    brief = settings.model_copy(update={"statement_timeout_ms": 500, "pool_max_size": 2, "cache_strategy": "off"})
    async with running(brief) as client, pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM content_items WHERE id = $1 FOR UPDATE", gallery.public.id)
        write = token(ADA, "content:write")
        asked = [asyncio.create_task(client.patch(item, json={"title": f"t{n}"}, headers=write)) for n in range(12)]
        for _ in range(20):
            assert (await client.get(URL)).status_code == 200
        for answer in await asyncio.gather(*asked):
            assert_problem(answer, 504, "PK402")
