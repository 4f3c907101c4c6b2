"""What is private does not show in what is computed anew: the attack of who asks, waits, and asks again.

A stranger asks for many words and tags until all answers are stored. Then somebody writes a private item with
some of them and a public one with others. Only the public item's may be computed anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.application import ADA, BEN, NAMES, Tokens
from cache.served import patient_site, served
from cache.site_workers import Site
from pinakes.settings import Settings

GALLERY = "/api/v1/content/unified"
UNTOUCHED, PRIVATE, PUBLIC = ("alder", "beech", "cedar"), ("ivory", "jade"), ("ruby", "topaz")
WORDS = (*UNTOUCHED, *PRIVATE, *PUBLIC)
FIRST_ID = 101


@pytest_asyncio.fixture(params=["event", "hybrid"])
async def site(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Every word is the title of a public item and its tag."""
    async with patient_site(settings.model_copy(update={"cache_strategy": request.param})) as opened:
        for user, name in NAMES.items():
            await opened.db.execute("UPDATE users SET username = $2 WHERE id = $1", user, name)
        for number, word in enumerate(WORDS, start=FIRST_ID):
            await opened.db.execute("INSERT INTO tags (id, name) VALUES ($1, $2)", number, word)
            await opened.db.execute(
                "INSERT INTO content_items (id, title, creator_id, quality_score) VALUES ($1, $2, 4, 1)", number, word
            )
            await opened.db.execute("INSERT INTO content_tags VALUES (1, $1::int, $1::int)", number)
        await opened.db.execute("INSERT INTO tags (id, name) VALUES (98, 'quiet'), (99, 'common')")
        await opened.db.execute("INSERT INTO content_tags VALUES (1, 1, 98), (1, 2, 99)")
        await opened.apply()
        yield opened


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with served(site, {"accept-encoding": "identity"}) as opened:
        yield opened


@pytest.fixture
def token(settings: Settings) -> Tokens:
    return Tokens(settings)


Question = tuple[str, dict[str, Any]]

OF_A_WORD: dict[str, Callable[[str], Question]] = {
    "search_term": lambda word: (GALLERY, {"search_term": word}),
    "tags": lambda word: (GALLERY, {"tags_all": word}),
    "any tag": lambda word: (GALLERY, {"tags_any": [word, "quiet"]}),
    "excluding": lambda word: (GALLERY, {"tags_all": word, "tags_none": "common"}),
    "range": lambda word: (GALLERY, {"search_term": word, "min_quality": "0.5"}),
    "q": lambda word: (GALLERY, {"q": word}),
    "q excluding": lambda word: (GALLERY, {"q": f"{word} -elsewhere"}),
    "pattern": lambda word: (GALLERY, {"q": f"{word[:-1]}*"}),
    "facets": lambda word: (f"{GALLERY}/facets", {"q": word}),
    "histogram": lambda word: (f"{GALLERY}/histogram", {"q": word, "field": "quality_score", "buckets": 2}),
    "around": lambda word: (
        f"{GALLERY}/around", {"tags_all": word, "source_type": "regular", "id": FIRST_ID + WORDS.index(word)}
    ),
}  # fmt: skip
"""What a write of one word must leave alone for every other."""

OF_ANYTHING: dict[str, Callable[[str], Question]] = {
    "feed": lambda _: (GALLERY, {}),
    "feed without a tag": lambda word: (GALLERY, {"tags_none": word}),
    "feed by quality": lambda _: (GALLERY, {"min_quality": 0.25}),
    "facets of all": lambda _: (f"{GALLERY}/facets", {}),
    "related": lambda word: (f"{GALLERY}/related", {"q": word}),
    "related to a tag": lambda word: (f"/api/v1/tags/{FIRST_ID + WORDS.index(word)}/related", {}),
}
"""What any public write may end, and no private one."""


class Stranger:
    """Somebody who asks the same questions again and again."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> None:
        self._client = client
        self._headers = headers or {}
        self._told: dict[tuple[str, str], dict[str, Any]] = {}

    async def ask(self, kind: str, word: str) -> dict[str, Any]:
        """Everything an answer says, but for the time that passes."""
        path, parameters = (OF_A_WORD | OF_ANYTHING)[kind](word)
        answer = await self._client.get(path, params=parameters, headers=self._headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        age = body.pop("_cache_age_seconds")
        state = answer.headers["x-cache"]
        assert body["_from_cache"] is (state in {"HIT", "STALE"})
        assert answer.headers.get("age") == (str(age) if body["_from_cache"] else None)
        return {"state": state, "etag": answer.headers["etag"], **body}

    async def learn(self) -> None:
        """Asks until every answer is stored."""
        for kind in OF_A_WORD | OF_ANYTHING:
            for word in WORDS:
                await self.ask(kind, word)
                self._told[kind, word] = await self.ask(kind, word)
                assert self._told[kind, word]["state"] == "HIT", (kind, word)

    async def changed(self, kinds: dict[str, Any]) -> set[tuple[str, str]]:
        """The questions that are not answered as they were."""
        return {
            (kind, word) for kind in kinds for word in WORDS if await self.ask(kind, word) != self._told[kind, word]
        }


class Writer:
    """Somebody who writes, and waits until it is seen."""

    def __init__(self, client: httpx.AsyncClient, site: Site, headers: dict[str, str]) -> None:
        self._client, self._site, self._headers = client, site, headers

    async def write(self, method: str, path: str, *, wait: bool = True, **fields: Any) -> str:
        """The address of the item."""
        told = {"json": fields} if fields else {}
        given = {"refresh": "wait_for"} if wait else {}
        sent = asyncio.create_task(
            self._client.request(method, path, params=given, headers=self._headers, **told)  # type: ignore[arg-type]
        )
        while wait and not sent.done():
            await self._site.apply()
            await asyncio.sleep(0.01)
        answer = await sent
        assert answer.status_code in {200, 201, 204}, answer.text
        assert not wait or "x-pinakes-epoch" in answer.headers
        return str(answer.headers.get("location", path))

    async def add(self, *words: str, private: bool, wait: bool = True) -> str:
        """An item with these words and tags."""
        fields = {"title": " ".join(words), "tags": [*words, "common"], "is_private": private, "quality_score": 0.75}
        return await self.write("POST", "/api/v1/content/regular", wait=wait, **fields)


EVERYTHING = OF_A_WORD | OF_ANYTHING


async def test_a_private_write_ends_no_answer_of_others(client: httpx.AsyncClient, site: Site, token: Tokens) -> None:
    """Made, changed and removed, waited for or not: to others it is as if nothing had been written."""
    ben = Writer(client, site, token(BEN, "content:write"))
    strangers = [Stranger(client), Stranger(client, token(ADA))]
    for stranger in strangers:
        await stranger.learn()
    place = await ben.add(*PRIVATE, "opal", private=True)  # one of the tags is new
    for stranger in strangers:
        assert await stranger.changed(EVERYTHING) == set()
    await ben.write("PATCH", place, title="jade and alder", tags_add=["beech"])
    for stranger in strangers:
        assert await stranger.changed(EVERYTHING) == set()
    await ben.write("DELETE", place)
    for stranger in strangers:
        assert await stranger.changed(EVERYTHING) == set()


async def test_beside_a_public_write_private_words_are_as_untouched_ones(
    client: httpx.AsyncClient, site: Site, token: Tokens
) -> None:
    """The words of a private item are not among what one epoch with a public item has computed anew."""
    ben = Writer(client, site, token(BEN, "content:write"))
    stranger = Stranger(client)
    await stranger.learn()
    await ben.add(*PRIVATE, private=True, wait=False)
    await ben.add(*PUBLIC, private=False)
    changed = await stranger.changed(OF_A_WORD)
    assert changed == {(kind, word) for kind in OF_A_WORD for word in PUBLIC}


async def test_what_becomes_private_is_gone_and_what_becomes_public_is_there(
    client: httpx.AsyncClient, site: Site, token: Tokens
) -> None:
    ben = Writer(client, site, token(BEN, "content:write"))
    stranger = Stranger(client)
    place = await ben.add(*PUBLIC, private=False)
    await stranger.learn()
    all_of_them = (await stranger.ask("feed", "ruby"))["pagination"]["total_count"]
    for private, total in ((True, 1), (False, 2)):
        await ben.write("PATCH", place, is_private=private)
        for kind in ("search_term", "tags", "q"):
            assert (await stranger.ask(kind, "ruby"))["pagination"]["total_count"] == total
        assert (await stranger.ask("feed", "ruby"))["pagination"]["total_count"] == all_of_them + total - 2


async def test_owners_see_their_own_private_writes_at_once(
    client: httpx.AsyncClient, site: Site, token: Tokens
) -> None:
    """Every stored answer of theirs that the item is in ends, feeds by time among them."""
    ada = Writer(client, site, token(ADA, "content:write"))
    herself = Stranger(client, token(ADA))
    await herself.learn()

    async def totals() -> dict[str, int]:
        return {
            kind: (await herself.ask(kind, "ivory"))["pagination"]["total_count"]
            for kind in ("search_term", "tags", "q", "feed")
        }

    before = await totals()
    place = await ada.add(*PRIVATE, private=True)
    assert await totals() == {kind: total + 1 for kind, total in before.items()}
    assert (await herself.ask("feed", ""))["items"][0]["title"] == "ivory jade"
    await ada.write("PATCH", place, title="jade", tags=["jade"])
    assert await totals() == before | {"feed": before["feed"] + 1}
    assert (await herself.ask("feed", ""))["items"][0]["title"] == "jade"
    await ada.write("DELETE", place)
    assert await totals() == before
