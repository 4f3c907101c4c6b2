"""Every page and part of a page for everybody: who may see it, and what it tells of private items.

The table has an entry for each address and method of the pages; one without fails the tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import unified_diff
from html import unescape

import httpx
import pytest

from api.application import ADA, BEN, EVE, NAMES, Gallery
from api.test_every_route import ANYBODY, HIDDEN, ROLES
from pinakes.api.auth import make_token
from pinakes.cache.reader import text_of
from pinakes.query.gallery_query import GalleryQuery
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.web import assets
from pinakes.web.routes import by_path
from pinakes.web.session import FIELD, SESSION
from web.site import visiting

# A session that is not accepted makes its owner anonymous; a token at the API is refused instead.
BROKEN = "x.y.z"
SHOWN = (200,) * len(ANYBODY)
HIDDEN_FROM_OTHERS = (404, 404, 404, 404, 200, 404, 404)
TAKEN = (303,) * len(ANYBODY)
ADMINISTRATORS = (401, 401, 403, 403, 403, 403, 200)


@dataclass(frozen=True)
class Case:
    """A request to one address, and the status for each of the ROLES in their order."""

    method: str
    path: str
    url: str
    statuses: tuple[int, ...]
    fields: dict[str, str] | None = None


ITEM, OTHER_ITEM = "/regular/{id}", "/auto/{id}"
PUBLIC, PRIVATE = "/regular/{public}", "/auto/{private}"
NEW = {"source": "auto", "title": "new", "content_type": "image"}
CHANGED = {"title": "changed", "content_type": "image"}

# In this order: what is deleted is asked for before.
CASES: tuple[Case, ...] = (
    Case("GET", "/", "/", SHOWN),
    Case("GET", "/", "/?q=secret", SHOWN),
    Case("GET", "/tags", "/tags", SHOWN),
    Case("GET", "/tags/{id}", "/tags/{sunset}", SHOWN),
    Case("GET", "/tags/{id}", "/tags/{secret}", HIDDEN_FROM_OTHERS),
    Case("GET", "/new", "/new", (401, 401, 403, 200, 200, 200, 403)),
    Case("POST", "/new", "/new", (401, 401, 403, 303, 303, 303, 403), NEW),
    Case("GET", "/sign-in", "/sign-in", SHOWN),
    Case("POST", "/sign-in", "/sign-in", (401,) * len(ANYBODY), {"token": "x.y.z"}),
    Case("GET", "/ops", "/ops", ADMINISTRATORS),
    Case("GET", "/ops/explain", "/ops/explain?query={query}", ADMINISTRATORS),
    Case("GET", ITEM, PUBLIC, SHOWN),
    Case("GET", OTHER_ITEM, PRIVATE, HIDDEN_FROM_OTHERS),
    Case("GET", f"{ITEM}/edit", f"{PUBLIC}/edit", (401, 401, 403, 404, 200, 200, 403)),
    Case("GET", f"{OTHER_ITEM}/edit", f"{PRIVATE}/edit", (401, 401, 403, 404, 200, 404, 403)),
    Case("POST", f"{ITEM}/edit", f"{PUBLIC}/edit", (401, 401, 403, 403, 303, 303, 403), CHANGED),
    Case("POST", f"{OTHER_ITEM}/edit", f"{PRIVATE}/edit", (401, 401, 403, 404, 303, 404, 403), CHANGED),
    Case("POST", f"{ITEM}/delete", f"{PUBLIC}/delete", (401, 401, 403, 403, 303, 303, 403), {}),
    Case("POST", f"{OTHER_ITEM}/delete", f"{PRIVATE}/delete", (401, 401, 403, 404, 303, 303, 403), {}),
    Case("GET", "/page/grid", "/page/grid", SHOWN),
    Case("GET", "/page/facets", "/page/facets", SHOWN),
    Case("GET", "/page/histogram", "/page/histogram", SHOWN),
    Case("GET", "/page/suggest", "/page/suggest?q=s", SHOWN),
    Case("GET", "/static/{digest}/{name}", assets.address("pages.css"), SHOWN),
    Case("GET", "/art/{version}/{features}/{seed}.svg", "{art}", SHOWN),
    Case("POST", "/sign-out", "/sign-out", TAKEN, {}),
)


async def _names(site: httpx.AsyncClient, gallery: Gallery, pool: Pool) -> dict[str, str]:
    tags = {row["name"]: str(row["id"]) for row in await pool.fetch("SELECT id, name FROM tags")}
    drawn = re.search(r'"(/art/[^"]+)"', (await site.get("/")).text)
    assert drawn is not None
    asked = str(httpx.QueryParams({"q": text_of(GalleryQuery())})).removeprefix("q=")
    items = {"public": str(gallery.public.id), "private": str(gallery.private.id)}
    return {**items, **tags, "art": unescape(drawn[1]), "query": asked}


def _filled(url: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: names[found[1]], url)


def _become(site: httpx.AsyncClient, settings: Settings, role: str) -> None:
    who = ROLES[role]
    site.cookies.clear()
    if who is not None:
        token = BROKEN if who[0] == 0 else make_token(settings, who[0], NAMES[who[0]], who[1], 60)
        site.cookies.set(SESSION, token)


async def _form_key(site: httpx.AsyncClient) -> str:
    found = re.search(rf'name="{FIELD}" value="([^"]+)"', (await site.get("/sign-in")).text)
    assert found is not None
    return unescape(found[1])


def test_every_page_has_an_entry() -> None:
    there = {(method, path) for path, methods in by_path().items() for method in methods if method != "HEAD"}
    # Both sources have the same pages.
    asked = {(case.method, case.path.replace("/auto/", "/regular/")) for case in CASES}
    assert {(method, path.replace("/auto/", "/regular/")) for method, path in there} == asked


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_sees_the_pages_the_table_says(
    site: httpx.AsyncClient, settings: Settings, gallery: Gallery, pool: Pool, role: str
) -> None:
    names = await _names(site, gallery, pool)
    wrong = []
    for case in CASES:
        _become(site, settings, role)  # a broken session ends with the first page
        fields = case.fields
        if fields is not None:
            fields = {FIELD: await _form_key(site), **fields}
            if role == "broken token":
                site.cookies.set(SESSION, BROKEN)
        answer = await site.request(case.method, _filled(case.url, names), data=fields)
        expected = case.statuses[list(ROLES).index(role)]
        if answer.status_code != expected:
            wrong.append((case.method, case.url, answer.status_code, expected))
    assert not wrong


async def test_no_form_is_taken_without_its_key(
    site: httpx.AsyncClient, settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    names = await _names(site, gallery, pool)
    for case in CASES:
        if case.fields is not None:
            _become(site, settings, "owner")
            answer = await site.post(_filled(case.url, names), data={FIELD: "", **case.fields})
            assert answer.status_code == 403, case
    assert await pool.fetchval("SELECT count(*) FROM content_items") == 1


PROBES: tuple[str, ...] = (
    "/",
    "/?sort_field=title&sort_order=asc&page_size=1&page=2",
    "/?tags_all=sunset",
    f"/?tags_all={HIDDEN}",
    f"/?q={HIDDEN}",
    "/?q=zep*",
    f"/?q=-{HIDDEN}",
    "/?content_types=video",
    "/?min_quality=0.9",
    "/tags",
    "/tags?q=z",
    "/tags/{sunset}",
    "/tags/{hidden_tag}",
    "/regular/{public}",
    "/regular/{public}?q=sunset",
    "/auto/{hidden}",
    "/auto/{hidden}/edit",
    "/page/grid",
    "/page/facets",
    f"/page/facets?q={HIDDEN}",
    "/page/histogram",
    "/page/suggest?q=z",
    "/page/suggest?q=s",
    f"/page/suggest?q=s&within=q%3D{HIDDEN}",
)
# How long an answer took, how it came and how old it is: the line that tells the truth, and nothing else.
_TRUTH = re.compile(r'<span class="(?:dim|late)"[^>]*>[^<]*</span>')


async def _told(site: httpx.AsyncClient, names: dict[str, str]) -> dict[str, tuple[int, str]]:
    told = {}
    for probe in PROBES:
        answer = await site.get(_filled(probe, names))
        assert answer.status_code in {200, 401, 404}, (probe, answer.text)
        told[probe] = (answer.status_code, _TRUTH.sub("", answer.text))
    return told


async def test_pages_tell_others_the_same_whether_private_items_are_there_or_not(
    settings: Settings, gallery: Gallery, pool: Pool
) -> None:
    """Grids, totals, tags, completions, histograms and refusals: two worlds, one page."""
    names = {"public": str(gallery.public.id), "hidden": "1000000000", "hidden_tag": "1000000"}
    names["sunset"] = str(await pool.fetchval("SELECT id FROM tags WHERE name = 'sunset'"))
    others = {"anonymous": None, "ben": (BEN, ("content:write",)), "eve": (EVE, ("content:admin", "admin"))}
    worlds: dict[str, list[dict[str, tuple[int, str]]]] = {who: [] for who in others}
    async with visiting(settings.model_copy(update={"cache_strategy": "off"})) as site:
        for world in ("without", "with"):
            if world == "with":
                names |= await _hide(site, settings, pool)
            for who, (user, scopes) in ((who, each or (0, ())) for who, each in others.items()):
                site.cookies.clear()
                if user:
                    site.cookies.set(SESSION, make_token(settings, user, NAMES[user], scopes, 900))
                worlds[who].append(await _told(site, names))
    for who, (before, after) in worlds.items():
        for probe in PROBES:
            assert after[probe][0] == before[probe][0], (who, probe)
            one, other = (_lines(told[probe][1], names) for told in (before, after))
            assert list(unified_diff(one, other, n=0)) == [], (who, probe)


def _lines(text: str, names: dict[str, str]) -> list[str]:
    """The page, less the keys of its forms and the numbers of the address itself, which it may repeat."""
    text = re.sub(rf'name="{FIELD}" value="[^"]+"', "", text).replace("%2F", "/")
    for number in (names["hidden"], names["hidden_tag"], "1000000000", "1000000"):
        text = re.sub(rf"\b{number}\b", "#", text)
    return text.splitlines()


async def _hide(site: httpx.AsyncClient, settings: Settings, pool: Pool) -> dict[str, str]:
    """Private items of ada's, made by her form; she is shown them, so there is something to hide."""
    site.cookies.clear()
    site.cookies.set(SESSION, make_token(settings, ADA, "ada", ("content:write",), 60))
    fields = {"title": f"Secret {HIDDEN}", "prompt": f"garden {HIDDEN}", "tags": f"sunset, boat, {HIDDEN}"}
    fields |= {"content_type": "video", "quality_score": "0.95", "is_private": "on", FIELD: await _form_key(site)}
    for source in ("regular", "auto"):
        made = await site.post("/new", data={**fields, "source": source})
        assert made.status_code == 303, made.text
    assert f"Secret {HIDDEN}" in (await site.get(f"/?tags_all={HIDDEN}")).text
    tag = await pool.fetchval("SELECT id FROM tags WHERE name = $1", HIDDEN)
    return {"hidden": made.headers["location"].rpartition("/")[2], "hidden_tag": str(tag)}
