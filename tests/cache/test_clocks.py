"""The clocks in Redis and the mirror that follows them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pinakes.cache.clocks import CURRENT, Clocks
from pinakes.cache.entry import Entry
from pinakes.cache.link import CacheRefused, CacheUnavailable, Link
from pinakes.cache.mirror import Mirror
from pinakes.cache.publisher import MOST_TERMS, Found, Publisher, State
from pinakes.cache.stamp import Stamp


@pytest_asyncio.fixture
async def link(redis_url: str) -> AsyncIterator[Link]:
    opened = Link(redis_url, limit_ms=500)
    yield opened
    await opened.close()


@pytest.fixture
def clocks(link: Link) -> Clocks:
    return Clocks(link, "a")


async def now_ms(link: Link) -> int:
    seconds, micros = await link.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


async def begin(clocks: Clocks, link: Link, epoch: int) -> None:
    """Clocks begun at `epoch` and confirmed."""
    assert await clocks.publish(epoch, epoch, 0, []) is None
    assert await clocks.publish(epoch, epoch, await now_ms(link) + 0, []) is None


async def test_clocks_begin_with_everything_unknown(clocks: Clocks, link: Link) -> None:
    assert await clocks.read(["tag:1"]) is None
    assert await clocks.publish(7, 7, await now_ms(link), [("tag:1", 7)]) is None
    known = await clocks.read(["tag:1", "tag:2"])
    assert known is not None
    assert (known.clock("tag:1"), known.clock("tag:2"), known.heading.head) == (7, 7, 7)
    assert known.heading.at_ms == 0, "whoever looked before the clocks were begun cannot vouch for them"


async def test_a_clock_shows_the_last_epoch_that_touched_it(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    await clocks.publish(10, 12, 0, [("tag:1", 11), ("tag:2", 12)])
    known = await clocks.read(["tag:1", "tag:2", "tag:3"])
    assert known is not None
    assert [known.clock(f"tag:{n}") for n in (1, 2, 3)] == [11, 12, 10]


async def test_no_epoch_is_skipped(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    assert await clocks.publish(12, 13, 0, [("tag:1", 13)]) == 10
    known = await clocks.read(["tag:1"])
    assert known is not None
    assert known.clock("tag:1") == 10


async def test_a_publisher_that_lags_moves_nothing_back(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    await clocks.publish(10, 15, await now_ms(link), [("tag:1", 15)])
    before = await clocks.read(["tag:1"])
    await clocks.publish(10, 12, 5, [("tag:1", 12)])
    after = await clocks.read(["tag:1"])
    assert before is not None
    assert after is not None
    assert (after.clock("tag:1"), after.heading.head, after.heading.at_ms) == (15, 15, before.heading.at_ms)


async def test_a_raised_floor_drops_older_clocks_and_keeps_newer(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 1)
    await clocks.publish(1, 30, 0, [("tag:1", 10), ("tag:2", 20), ("tag:3", 30)])
    assert await clocks.size() == 3
    await clocks.publish(30, 30, 0, [], floor=20)
    assert await clocks.size() == 1
    known = await clocks.read(["tag:1", "tag:2", "tag:3"])
    assert known is not None
    assert [known.clock(f"tag:{n}") for n in (1, 2, 3)] == [20, 20, 30]


async def test_wildcards_count_for_every_term_of_a_field(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 1)
    await clocks.publish(1, 2, 0, [("tag:*", 2)])
    known = await clocks.read(["tag:5", "creator:5"])
    assert known is not None
    assert (known.clock("tag:5"), known.clock("creator:5")) == (2, 1)
    await clocks.publish(2, 3, 0, [("*", 3)])
    known = await clocks.read(["tag:5", "creator:5", "names"])
    assert known is not None
    assert {known.clock(term) for term in ("tag:5", "creator:5", "names")} == {3}


async def test_a_flush_leaves_clocks_that_nobody_trusts_until_looked_at_again(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    looked_before_the_flush = await now_ms(link)
    await link.call("FLUSHDB")
    await clocks.publish(10, 11, looked_before_the_flush - 1, [])
    await clocks.publish(11, 11, looked_before_the_flush - 1, [])
    known = await clocks.read(["tag:1"])
    assert known is not None
    assert known.heading.at_ms == 0
    assert known.clock("tag:1") == 11
    await clocks.publish(11, 11, await now_ms(link), [])
    known = await clocks.read([])
    assert known is not None
    assert known.heading.at_ms > 0


async def test_time_without_confirmation_ends_in_a_barrier(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    first = await clocks.read([])
    assert first is not None
    assert first.heading.barrier == 10
    later = await now_ms(link)
    await clocks.publish(10, 11, later, [], window_ms=10_000)
    await clocks.publish(11, 12, later, [], window_ms=-1)
    after = await clocks.read([])
    assert after is not None
    assert after.heading.barrier == 12


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def follow(link: Link, hands: Hands, **limits: int) -> Mirror:
    mirror = Mirror(link, window_ms=900, lag_ms=250, now=hands, **limits)
    await mirror.look()
    await mirror.look()
    return mirror


async def test_epochs_that_touched_very_many_terms_move_the_clock_of_everything(clocks: Clocks, link: Link) -> None:
    """One command of bounded length, however much an import touched; each of its terms counts as touched."""
    await begin(clocks, link, 10)
    publisher = Publisher(link, "postgresql://nobody/asked")
    stamp = Stamp(12, "a", exact=True, policy="incremental", behind_ms=0)
    changes = [(11, [f"word:w{n}" for n in range(MOST_TERMS)]), (12, ["tag:1"])]
    assert await publisher.publish(Found(clocks, 10, await now_ms(link), State(stamp, changes)))
    assert await clocks.size() == 1
    known = await clocks.read(["word:w1", "word:w9999", "tag:1", "tag:2"])
    assert known is not None
    assert {known.clock(term) for term in ("word:w1", "word:w9999", "tag:1", "tag:2")} == {12}


async def test_a_mirror_knows_what_came_after_it_and_nothing_before(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    await clocks.publish(10, 11, 0, [("tag:1", 11)])
    mirror = await follow(link, Hands())
    assert (mirror.clock("tag:1"), mirror.clock("tag:2"), mirror.floor) == (11, 11, 11)
    await clocks.publish(11, 12, 0, [("tag:2", 12)])
    version = mirror.version
    await mirror.look()
    assert mirror.version != version
    assert (mirror.clock("tag:1"), mirror.clock("tag:2"), mirror.newest) == (11, 12, 12)
    version = mirror.version
    await mirror.look()
    assert mirror.version == version


async def test_a_mirror_that_did_not_look_is_not_trusted(clocks: Clocks, link: Link) -> None:
    hands = Hands()
    await begin(clocks, link, 10)
    mirror = await follow(link, hands)
    assert mirror.trusted()
    hands.now += 0.249
    assert mirror.trusted()
    hands.now += 0.002
    assert not mirror.trusted()
    await mirror.look()
    assert mirror.trusted()


async def test_clocks_confirmed_too_long_ago_are_not_trusted(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    mirror = Mirror(link, window_ms=0, now=Hands())
    await mirror.look()
    heading = mirror.heading
    await mirror.look()
    while mirror.heading is None or mirror.heading.now_ms == mirror.heading.at_ms:
        await mirror.look()
    assert heading is None
    assert not mirror.trusted()


async def test_a_mirror_sees_a_flush_even_between_two_looks(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    mirror = await follow(link, Hands())
    born = mirror.born_ms
    await link.call("FLUSHDB")
    while await now_ms(link) <= born:
        pass
    await begin(clocks, link, 10)
    await mirror.look()
    assert mirror.born_ms > born


async def test_a_mirror_follows_another_incarnation(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    mirror = await follow(link, Hands())
    await begin(Clocks(link, "b"), link, 3)
    await mirror.look()
    assert not mirror.trusted()
    await mirror.look()
    assert (mirror.incarnation, mirror.newest, mirror.trusted()) == ("b", 3, True)


async def test_a_mirror_too_full_forgets_and_says_so(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 1)
    mirror = await follow(link, Hands(), max_terms=10)
    await clocks.publish(1, 2, 0, [(f"tag:{n}", 2) for n in range(11)])
    await mirror.look()
    assert mirror.floor == mirror.clock("tag:9999") == 2


async def test_what_is_to_be_forgotten_reaches_mirrors_old_and_new(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 10)
    mirror = await follow(link, Hands())
    await clocks.forget(("tag:5",))
    await mirror.look()
    assert set(mirror.forgotten) == {"tag:5"}
    assert (await follow(link, Hands())).forgotten == mirror.forgotten


async def test_a_redis_clock_set_back_leaves_nothing_from_the_future(clocks: Clocks, link: Link) -> None:
    """As it is an hour after: clocks begun, confirmed and told to forget in a time that has not come yet."""
    await begin(clocks, link, 10)
    await clocks.publish(10, 11, await now_ms(link), [("tag:1", 11)])
    ahead = str(await now_ms(link) + 3_600_000)
    await link.call("ZADD", clocks.key, ahead, "__at__", ahead, "__born__", ahead, "!tag:5")
    mirror = await follow(link, Hands())
    assert not mirror.trusted()
    assert set(mirror.forgotten) == {"tag:5"}
    await clocks.publish(11, 12, await now_ms(link) - 1000, [("tag:2", 12)])
    await mirror.look()
    assert not mirror.trusted(), "begun anew, and not confirmed by a look since"
    await clocks.publish(12, 12, await now_ms(link), [])
    await mirror.look()
    assert mirror.trusted()
    assert mirror.forgotten == {}, "else nothing about tag 5 were kept for an hour"
    known = await clocks.read(["tag:1", "tag:2"])
    assert known is not None
    assert (known.clock("tag:1"), known.clock("tag:2"), known.heading.head) == (11, 12, 12)
    assert known.heading.born_ms <= await now_ms(link)


def test_an_answer_from_the_future_has_expired() -> None:
    """Nobody knows how old it is: the clock was set back. What differs by rounding is no future."""
    made = Entry(text="", epoch=1, created_ms=10_000_000, ttl_s=600, cost_ms=1, exact=True, etag=b"")
    assert [made.expired(made.created_ms + late) for late in (-3_600_000, -2, 0, 599_999, 600_000, 3_600_000)] == [
        True, False, False, False, True, True,
    ]  # fmt: skip
    assert made.age_s(made.created_ms - 3_600_000) == 0


async def test_error_replies_are_refusals_and_keep_the_connection(link: Link) -> None:
    await link.call("SET", "text", "x")
    with pytest.raises(CacheRefused):
        await link.call("ZADD", "text", 1, "a")
    assert await link.call("GET", "text") == b"x"
    assert not link.breaker.open


async def test_no_server_opens_the_breaker_and_a_probe_closes_it(redis_url: str) -> None:
    link = Link("redis://127.0.0.1:1/1")
    with pytest.raises(CacheUnavailable):
        await link.call("PING")
    with pytest.raises(CacheUnavailable, match="breaker open"):
        await link.call("PING")
    link.address = Link(redis_url).address
    assert await link.call("PING", probe=True) == b"PONG"
    assert await link.call("PING") == b"PONG"
    await link.close()


async def test_current_names_the_incarnation(clocks: Clocks, link: Link) -> None:
    await begin(clocks, link, 1)
    assert await link.call("GET", CURRENT) == b"a"
