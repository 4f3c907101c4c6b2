"""Strange addresses: every page and part with every parameter, and whatever people and mailings put there."""

from __future__ import annotations

import random
from urllib.parse import quote

import httpx
import pytest

from api.application import ADA, Gallery
from pinakes.api.parameters import UNIFIED
from pinakes.settings import Settings
from pinakes.web.address import Address
from pinakes.web.look import CHOICES
from pinakes.web.routes import by_path
from web.site import send, sign_in
from web.test_pages import place

NAMES = sorted(
    {parameter.name for parameter in UNIFIED}
    | set(CHOICES)
    | {"order", "from", "after", "link", "back", "range", "query", "within", "fbclid", "utm_source", "%FF", "a[]", ""}
)
VALUES = (
    "", "%FF", "%00", "%C0%80", "%ED%A0%80", "%F0%9F%92%A5", "a%0Ab", "%E2%80%AE", "+", "%", "%zz", "(", ")",
    '"', "a:b:c", "-", "~", "castle", "castle%", "_", "1", "-1", "0", "1e999", "nan", "99999999999999999999",
    "2020-13-45", "2020-01-01", "9999-12-31", "0001-01-01T00:00:00-18:00", "//evil.example",
    "https://evil.example/", "/%5Cevil.example", "{}", "[]", "null", '{"tags_all":5}',
    '{"created_after":"x"}', '{"page":"1"}', '{"q":7}', '{"sort_field":"x"}',
    '{"content_source_types":["x"]}', '{"page_size":-1}', '{"search_term":[1]}', "x" * 300, "x" * 5000,
    quote("日本 'x' \\ ; drop"), "castle&q=boat", "=", "&&&", "%26x=%3D",
)  # fmt: skip


def addresses(gallery: Gallery) -> list[str]:
    """An address of every page and part that is read."""
    found = []
    for path, methods in by_path().items():
        if "GET" in methods:
            here = gallery.public if path.startswith("/regular") else gallery.other
            found.append(path.replace("{id}", "1" if path.startswith("/tags") else str(here.id)))
    return found


async def test_no_page_fails_whatever_its_parameters_say(
    site: httpx.AsyncClient, settings: Settings, gallery: Gallery
) -> None:
    sign_in(site, settings, ADA, "content:write", "content:admin", "admin")
    drawn = random.Random(7)
    failed = []
    for path in addresses(gallery):
        pairs = [(name, value) for name in NAMES for value in VALUES]
        # Each parameter by itself with some values, each value with some parameters, and both among others.
        few = drawn.sample(pairs, 25) if path not in {"/tags", "/sign-in", "/ops/explain", "/page/suggest"} else pairs
        queries = [f"{name}={value}" for name, value in few]
        queries += ["&".join(f"{name}={value}" for name, value in drawn.sample(pairs, 4)) for _ in range(10)]
        if path == "/ops/explain":
            queries = [f"query={value}" for value in VALUES]
        for query in queries if len(queries) < 150 else drawn.sample(queries, 150):
            answer = await site.get(f"{path}?{query}")
            if answer.status_code >= 500:
                failed.append((answer.status_code, f"{path}?{query}"[:200]))
    assert not failed, failed[:20]


@pytest.mark.parametrize(
    "path", ["/tags", "/page/grid", "/page/facets", "/page/histogram", "/page/suggest", "/", "/sign-in"]
)
@pytest.mark.parametrize("value", ["%FF", "%00"])
async def test_what_is_no_text_is_refused_by_every_page(site: httpx.AsyncClient, path: str, value: str) -> None:
    name = {"/tags": "after", "/sign-in": "back"}.get(path, "q")
    answer = await site.get(f"{path}?{name}={value}")
    assert answer.status_code == 400
    assert "PK102" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


async def test_what_is_said_twice_or_at_great_length_is_refused(site: httpx.AsyncClient) -> None:
    assert (await site.get("/tags?q=a&q=b")).status_code == 400
    assert (await site.get(f"/tags?after={'x' * 300}")).status_code == 400
    for path in ("/?q=", "/tags?q=", "/sign-in?link=", "/page/suggest?within=tags_all="):
        request = site.build_request("GET", "/")
        request.url = request.url.copy_with(raw_path=path.encode().ljust(65_536, b"x"))  # the most the client sends
        assert (await site.send(request)).status_code in {400, 401, 422}, path


async def test_parameters_that_links_pick_up_on_their_way_are_ignored(
    site: httpx.AsyncClient, gallery: Gallery
) -> None:
    for path in addresses(gallery):
        if path.startswith(("/ops", "/new", "/static", "/art")) or path.endswith("/edit"):
            continue
        plain = await site.get(path)
        answer = await site.get(f"{path}?fbclid=x&utm_source=%FF&utm_source=b&gclid=%00&a%5B%5D=1")
        assert (answer.status_code, "fbclid" in answer.text) == (plain.status_code, False), path
    shown = await site.get("/?tags_all=castle&fbclid=x&order=title.asc")
    assert shown.headers["location"] == "/?tags_all=castle&sort_field=title&sort_order=asc"
    assert (await site.get(f"{place(gallery.public)}?tags_all=castle&fbclid=x")).status_code == 200


def test_letters_that_somebody_did_not_encode_are_read_as_they_stand() -> None:
    given = Address.read("q=日本&tags_all=%E6%97%A5".encode())
    assert given.pairs == (("q", "日本"), ("tags_all", "日"))
    assert given.raw == b"q=%E6%97%A5%E6%9C%AC&tags_all=%E6%97%A5"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("/tags/", "/tags"), ("/tags/?q=a%20b", "/tags?q=a%20b"), ("/api/v1/tags/", "/api/v1/tags"), ("/ops//", "/ops"),
        ("/docs/", "/docs"), ("/regular/1/", "/regular/1"), ("/page/grid/", "/page/grid"),
        ("/api/v1/content/unified/?page=2", "/api/v1/content/unified?page=2"),
    ],
)  # fmt: skip
async def test_a_slash_at_the_end_leads_to_the_address_without(site: httpx.AsyncClient, asked: str, told: str) -> None:
    answer = await site.get(asked)
    assert (answer.status_code, answer.headers["location"]) == (308, told)


@pytest.mark.parametrize("asked", ["//evil.example/", "/nowhere/", "//tags/", "///", "/%2F/evil.example/"])
async def test_a_slash_at_the_end_leads_to_no_other_site(site: httpx.AsyncClient, asked: str) -> None:
    request = site.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=asked.encode())
    assert (await site.send(request)).status_code == 404


@pytest.mark.parametrize("length", [131_073, 200_000, 1_000_000])
async def test_names_of_any_length_in_a_form_are_refused_with_the_form(
    site: httpx.AsyncClient, settings: Settings, length: int
) -> None:
    sign_in(site, settings, ADA, "content:write")
    fields = {"source": "auto", "title": "Kept", "content_type": "image"}
    for tags in ("x" * length, '"' + "x" * length, "a\n" * 10 + "x" * length):
        answer = await send(site, "/new", {**fields, "tags": tags})
        assert answer.status_code == 422
        assert "Kept" in answer.text


@pytest.mark.parametrize(
    "strange", ["\0", "\ud7ff\ue000", "1e999", "nan", "٣", "x" * 70_000, "\u202e", "<b>", "\r\n\r\n", "'", "{{ 7 }}"]
)
async def test_no_form_fails_whatever_its_fields_say(
    site: httpx.AsyncClient, settings: Settings, gallery: Gallery, strange: str
) -> None:
    sign_in(site, settings, ADA, "content:write")
    good = {"source": "auto", "title": "t", "content_type": "image", "tags": "", "prompt": "", "path_thumb": ""}
    item = place(gallery.public)
    for page in ("/new", f"{item}/edit"):
        for name in (*good, "quality_score", "is_private", "version"):
            answer = await send(site, page, {**good, "version": '"none"', name: strange})
            assert answer.status_code < 500, (page, name)
    for field in ("token", "link", "back"):
        page = "/new" if field != "back" else "/sign-in"
        answer = await send(site, page, {"token": "x", field: strange}, action="/sign-in")
        assert answer.status_code < 500, field


async def test_signing_in_leads_back_to_any_page_of_ours(site: httpx.AsyncClient, settings: Settings) -> None:
    from pinakes.web.links import make_link

    link = make_link(settings, ADA, "ada", ()).partition("=")[2]
    for back, told in {
        "/日本": "/%E6%97%A5%E6%9C%AC",
        "/?q=日 本&tags_all=%E6%97%A5": "/?q=%E6%97%A5%20%E6%9C%AC&tags_all=%E6%97%A5",
        "/tags?q=a%26b": "/tags?q=a%26b",
    }.items():
        answer = await send(site, "/sign-in", {"link": link, "back": back})
        assert (answer.status_code, answer.headers["location"]) == (303, told)


async def test_an_address_that_needs_somebody_comes_back_after_signing_in(site: httpx.AsyncClient) -> None:
    asked = await site.get("/ops?range=24h")
    assert asked.status_code == 401
    assert 'href="/sign-in?back=%2Fops%3Frange%3D24h"' in asked.text


async def test_a_picture_of_an_item_changes_nothing_for_who_looks_at_it(site: httpx.AsyncClient) -> None:
    for headers in ({"accept": "image/avif,image/webp,*/*;q=0.8"}, {"sec-fetch-dest": "image"}):
        answer = await site.get("/?theme=dark", headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (404, False)
    assert (await site.get("/?theme=dark")).status_code == 303
