"""The pages as they come from the server, read without a browser: what stands in them, for whom, and their headers."""

from __future__ import annotations

import gzip
import re
from html import unescape

import httpx
import pytest

from api.application import ADA, BEN, Gallery
from pinakes.query.item import Item
from pinakes.query.language.grammar import FIELDS
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.settings import Settings
from pinakes.store import content, hierarchy
from pinakes.store.content import Author, Draft
from pinakes.store.pool import Pool
from pinakes.web import assets
from pinakes.web.facets import grouped
from web.site import sign_in, visiting


def place(item: Item) -> str:
    return f"/{SOURCE_BY_CODE[item.source].name}/{item.id}"


async def test_a_name_written_from_right_to_left_does_not_turn_what_stands_beside_it(
    site: httpx.AsyncClient, pool: Pool
) -> None:
    name = "\u05d9\u05dd"
    async with pool.acquire() as conn:
        item = await content.create(conn, SOURCE_BY_CODE[1], Draft(title=name, tags=(name,)), Author(ADA))
    page = (await site.get(place(item))).text
    assert f"<bdi>{name}</bdi>" in page
    style = (await site.get(re.findall(r'href="([^"]*pages[^"]*\.css)"', page)[0])).text
    isolated = {each.strip() for each in re.findall(r"([^{}/]*)\{ unicode-bidi: isolate; \}", style)[0].split(",")}
    assert isolated >= {"bdi", "h1", ".tag", ".chip span", ".caption .name", ".by", ".count"}


async def test_the_gallery_shows_what_the_visitor_may_see_and_how_much_it_is(
    site: httpx.AsyncClient, settings: Settings
) -> None:
    page = await site.get("/")
    assert page.status_code == 200
    assert "Castle at sunset" in page.text
    assert "Secret garden" not in page.text
    assert re.search(r"<b>2</b>\s*results", page.text)
    sign_in(site, settings, ADA)
    page = await site.get("/")
    assert "Secret garden" in page.text
    assert re.search(r"<b>3</b>\s*results", page.text)


async def test_counts_of_tags_are_those_of_the_current_filter(site: httpx.AsyncClient) -> None:
    page = (await site.get("/?tags_all=castle")).text
    assert re.search(r'>sunset</a><span class="count">1<', page)
    assert ">boat<" not in page
    assert "tags_all=castle&amp;tags_none=sunset" in page


async def test_a_private_item_is_nowhere_for_others(
    site: httpx.AsyncClient, settings: Settings, gallery: Gallery
) -> None:
    for user in (None, BEN):
        if user is not None:
            sign_in(site, settings, user)
        assert (await site.get(place(gallery.private))).status_code == 404
        for where in ("/", "/tags", "/tags?q=secret", "/?q=secret", "/page/facets", "/page/grid"):
            shown = (await site.get(where)).text
            assert "Secret garden" not in shown, where
            assert not re.search(r'class="tag[^>]*>secret', shown), where


async def test_what_people_wrote_is_text_on_every_page(site: httpx.AsyncClient, pool: Pool, settings: Settings) -> None:
    title, tag = "<script>alert(1)</script>", '"><img onerror>'
    async with pool.acquire() as connection:
        draft = Draft(
            title=title, prompt=title, tags=(tag,), path_thumb="javascript:alert(1)", item_metadata={title: {"a": tag}}
        )
        item = await content.create(connection, next(iter(SOURCE_BY_CODE.values())), draft, Author(ADA))
        number = await connection.fetchval("SELECT id FROM tags WHERE name = $1", tag)
    sign_in(site, settings, ADA, "content:write")
    quoted = httpx.QueryParams({"tags_all": tag, "q": title, "search_term": title})
    for where in ("/", f"/?{quoted}", place(item), f"{place(item)}/edit", "/tags", f"/tags/{number}", "/tags?q=img"):
        shown = (await site.get(where)).text
        assert "<script>" not in shown, where
        assert "<img onerror" not in shown, where
        assert "javascript:" not in shown or where.endswith("/edit"), where
    assert "&lt;script&gt;" in (await site.get(place(item))).text


async def test_pages_have_no_inline_script_or_style_and_say_so(site: httpx.AsyncClient, gallery: Gallery) -> None:
    for where in ("/", place(gallery.public), "/tags", "/sign-in", "/nowhere", "/?q=(", "/page/facets"):
        page = await site.get(where)
        policy = page.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?![^>]* src=)", page.text), where
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page.text), where
        assert page.headers["x-content-type-options"] == "nosniff"


async def test_refusals_are_pages_with_a_way_on_and_problems_stay_problems(site: httpx.AsyncClient) -> None:
    lost = await site.get("/nowhere")
    assert (lost.status_code, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "To the gallery" in lost.text
    wrong = await site.get("/?q=castle (")
    assert wrong.status_code == 400
    assert "Without the search text" in wrong.text
    assert (await site.get("/api/v1/nowhere")).headers["content-type"] == "application/problem+json"
    assert (await site.get("/regular/x")).status_code == 404
    assert (await site.get("/?tags_all=castle&cursor=x")).status_code == 400
    assert (await site.get("/ops")).status_code == 401


async def test_a_slow_database_is_said_with_a_way_on(settings: Settings, gallery: Gallery, pool: Pool) -> None:
    impatient = settings.model_copy(update={"statement_timeout_ms": 50, "cache_strategy": "off"})
    async with visiting(impatient) as site, pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE epoch, content_items, tags IN ACCESS EXCLUSIVE MODE")
        page = await site.get("/?tags_all=castle")
    assert page.status_code == 504
    assert "This took too long" in page.text
    assert 'href="/?tags_all=castle"' in page.text


async def test_an_empty_answer_and_a_page_beyond_the_end_lead_on(site: httpx.AsyncClient) -> None:
    empty = (await site.get("/?tags_all=castle&tags_all=boat")).text
    assert "Nothing matches" in empty
    assert 'href="/?tags_all=boat"' in empty
    beyond = (await site.get("/?page=7")).text
    assert "There are only 1 pages" in beyond
    assert 'href="/?page=1"' in beyond


async def test_a_form_leads_to_the_one_address_of_its_question(site: httpx.AsyncClient) -> None:
    halves = "&".join(
        f"content_source_types={name}" for name in ("user-regular", "user-auto", "community-regular", "community-auto")
    )
    sent = await site.get(f"/?q=castle&{halves}&min_quality=&created_after=&order=title.asc")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/?q=castle&sort_field=title&sort_order=asc"
    assert (await site.get("/?order=created_at.desc&sort_field=title")).headers["location"] == "/"


async def test_the_look_is_remembered_and_not_part_of_the_question(site: httpx.AsyncClient) -> None:
    turned = await site.get("/?q=castle&theme=dark&page=3")
    assert (turned.status_code, turned.headers["location"]) == (303, "/?q=castle&page=3")
    assert 'data-theme="dark"' in (await site.get("/")).text
    smaller = await site.get("/?per=30&page=3")
    assert smaller.headers["location"] == "/"
    assert (await site.get("/?theme=purple")).status_code == 400


async def test_items_of_a_search_know_what_is_beside_them(site: httpx.AsyncClient, gallery: Gallery) -> None:
    page = (await site.get(f"{place(gallery.public)}?tags_all=sunset&sort_field=title&sort_order=asc")).text
    assert "2 of 2" in page
    assert f'rel="prev" href="{place(gallery.other)}?tags_all=sunset' in page
    assert "Back to the search" in page
    elsewhere = (await site.get(f"{place(gallery.other)}?tags_all=castle")).text
    assert "its place in the search is not known" in elsewhere


async def test_static_files_and_pictures_are_kept_for_ever(site: httpx.AsyncClient) -> None:
    page = (await site.get("/")).text
    for pattern in (r'href="(/static/[^"]+\.css)"', r'src="(/static/[^"]+\.js)"', r'src="(/art/[^"]+\.svg)"'):
        found = re.search(pattern, page)
        assert found is not None, pattern
        kept = await site.get(found[1])
        assert kept.status_code == 200, found[1]
        assert "immutable" in kept.headers["cache-control"]
    picture = re.search(r'src="(/art/[^"]+\.svg)"', page)
    assert picture is not None
    first = await site.get(picture[1])
    again = await site.get(picture[1], headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    old = await site.get("/static/0123456789abcdef/pages.css")
    assert "immutable" not in old.headers["cache-control"]
    assert (await site.get("/static/x/../site.py")).status_code == 404


async def test_a_page_with_everything_it_loads_is_small(site: httpx.AsyncClient) -> None:
    html = (await site.get("/", headers={"accept-encoding": "identity"})).content
    loaded = sum(len(asset.packed) for name, asset in assets.ASSETS.items() if not name.endswith(".svg"))
    assert len(gzip.compress(html)) + loaded <= 100_000


@pytest.mark.parametrize(
    "address", ["/art/1/sea_noon_clear_clean/000000.svg", "/art/9/sea_day_clear_clean/000000.svg", "/art/1/x/1.svg"]
)
async def test_pictures_that_nobody_named_do_not_exist(site: httpx.AsyncClient, address: str) -> None:
    assert (await site.get(address)).status_code == 404


async def test_a_sample_of_counts_says_so() -> None:
    told = {"facets": [{"id": 1, "name": "sea", "category": "", "count": 3}], "kind": "sampled", "total_count": 90}
    assert grouped({**told, "total_kind": "exact", "counted": 30}).sample == 30
    assert grouped({**told, "total_kind": "exact", "counted": 90}).sample is None
    assert grouped({**told, "total_kind": "lower_bound", "counted": 90}).sample == 90


async def test_the_hierarchy_is_a_tree_of_links_and_many_ways_down_stay_small(
    site: httpx.AsyncClient, pool: Pool, settings: Settings
) -> None:
    rungs = [f"rung {k}{side}" for k in range(24) for side in "ab"]
    async with pool.acquire() as connection:
        source = next(iter(SOURCE_BY_CODE.values()))
        await content.create(connection, source, Draft(title="Ladder", tags=("top", *rungs)), Author(ADA))
        pairs = [("rung 0a", "top"), ("rung 0b", "top")]
        pairs += [(f"rung {k + 1}{x}", f"rung {k}{y}") for k in range(23) for x in "ab" for y in "ab"]
        await hierarchy.put(connection, pairs)
    page = (await site.get("/tags")).text
    tree = page[page.index("The hierarchy") :]
    assert 0 <= tree.index(">top<") < tree.index(">rung 0a<") < tree.index(">rung 23a<")
    assert tree.count("rung") < 200


async def test_counts_come_with_the_page_or_behind_it(site: httpx.AsyncClient) -> None:
    address = "/?tags_all=boat"
    assert 'data-kind="exact"' in (await site.get(address)).text
    site.cookies.set("pinakes-scripts", "1")
    shown = (await site.get("/?tags_all=castle&tags_none=boat")).text
    where = re.search(r'data-facets="([^"]+)"', shown)
    if where is not None:  # else they were there at once
        shown = (await site.get(unescape(where[1]), headers={"sec-fetch-dest": "empty"})).text
        assert "<html" not in shown
    assert re.search(r'>sunset</a><span class="count">1<', shown)


def test_the_search_box_knows_the_fields_of_the_grammar() -> None:
    script = assets.ASSETS["suggest.js"].plain.decode()
    told = re.search(r"const FIELDS = \[([^\]]*)\]", script)
    assert told is not None
    assert re.findall(r'"(\w+)"', told[1]) == list(FIELDS)
