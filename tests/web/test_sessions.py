"""Signing in, forms and what only their owners may do, without a browser."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from api.application import ADA, BEN, NAMES, Gallery
from pinakes.api.auth import make_token
from pinakes.settings import Settings
from pinakes.web.links import make_link
from pinakes.web.session import FIELD, FORM, SESSION
from web.site import send, sign_in, visiting
from web.test_pages import place


async def test_a_token_signs_in_and_out(site: httpx.AsyncClient, settings: Settings) -> None:
    token = make_token(settings, ADA, "ada", ("content:write",), 60)
    answer = await send(site, "/sign-in", {"token": token, "back": "/tags"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/tags")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(SESSION))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "New item" in (await site.get("/")).text
    await send(site, "/", {}, action="/sign-out")
    assert "New item" not in (await site.get("/")).text


async def test_behind_https_the_cookie_is_secure(site: httpx.AsyncClient, settings: Settings) -> None:
    site.headers["x-forwarded-proto"] = "https"
    answer = await send(site, "/sign-in", {"link": make_link(settings, ADA, "ada", ()).partition("=")[2]})
    assert all("Secure" in line for line in answer.headers.get_list("set-cookie") if "Max-Age=0" not in line)


async def test_a_bad_token_is_told_and_an_ended_session_is_forgotten(
    site: httpx.AsyncClient, settings: Settings
) -> None:
    assert (await send(site, "/sign-in", {"token": "x"})).status_code == 401
    assert (await send(site, "/sign-in", {"token": "x" * 5000})).status_code == 401
    site.cookies.set(SESSION, make_token(settings, ADA, "ada", (), -1))
    page = await site.get("/")
    assert "Your session has ended" in page.text
    assert page.headers["set-cookie"].startswith(f'{SESSION}=""')


async def test_a_link_shows_whom_it_is_for_and_signs_in_only_by_its_form(
    site: httpx.AsyncClient, settings: Settings
) -> None:
    link = make_link(settings, ADA, "ada", ("content:write",))
    page = await site.get(link)
    assert "Go on as ada" in page.text
    assert SESSION not in site.cookies
    answer = await send(site, link, {"link": link.partition("=")[2]})
    assert answer.status_code == 303
    assert 'aria-label="You: ada"' in (await site.get("/")).text
    # Not the last letter: of its six bits two mean nothing, so one of sixteen links would stay as it is.
    other = "x" if link[-2] != "x" else "y"
    assert (await site.get(link[:-2] + other + link[-1])).status_code == 401
    bearer = {"authorization": f"Bearer {link.partition('=')[2]}"}
    assert (await site.get("/api/v1/content/unified", headers=bearer)).status_code == 401


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\nb"])
async def test_signing_in_leads_to_no_other_site(site: httpx.AsyncClient, settings: Settings, back: str) -> None:
    answer = await send(site, "/sign-in", {"link": make_link(settings, ADA, "ada", ()).partition("=")[2], "back": back})
    assert answer.headers["location"] == "/"


async def test_forms_of_others_are_refused(site: httpx.AsyncClient, settings: Settings, gallery: Gallery) -> None:
    token = make_token(settings, ADA, "ada", (), 60)
    assert (await site.post("/sign-in", data={"token": token})).status_code == 403
    assert (await site.post("/sign-in", data={"token": token, FIELD: "guessed"})).status_code == 403
    page = (await site.get("/sign-in")).text
    key = re.search(rf'name="{FIELD}" value="([^"]+)"', page)
    assert key is not None
    good = {"token": token, FIELD: key[1]}
    assert (await site.post("/sign-in", data=good, headers={"origin": "http://evil.example"})).status_code == 403
    assert (await site.post("/sign-in", data=good, headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await site.post("/sign-in", json=good)).status_code == 403
    # The key of the anonymous is none for who is signed in, nor another user's.
    sign_in(site, settings, ADA, "content:write")
    item = place(gallery.public)
    assert (await site.post(f"{item}/delete", data={FIELD: key[1]})).status_code == 403
    assert (await site.get(item)).status_code == 200
    del site.cookies[FORM]
    assert (await site.post("/sign-out", data={FIELD: key[1]})).status_code == 403


async def test_the_api_does_not_read_the_cookie(site: httpx.AsyncClient, settings: Settings, gallery: Gallery) -> None:
    sign_in(site, settings, ADA, "content:write")
    assert (await site.get(f"/api/v1/content/auto/{gallery.private.id}")).status_code == 404
    assert (await site.delete(f"/api/v1/content/regular/{gallery.public.id}")).status_code == 401


async def test_an_item_is_made_changed_and_removed_by_its_owner(site: httpx.AsyncClient, settings: Settings) -> None:
    assert (await site.get("/new")).status_code == 401
    sign_in(site, settings, ADA, "content:write")
    fields = {"source": "auto", "title": "A new one", "tags": 'sea, "man, old"', "prompt": "x", "content_type": "image"}
    made = await send(site, "/new", {**fields, "is_private": "on"})
    assert made.status_code == 303
    where = made.headers["location"]
    page = (await site.get(where)).text
    assert "A new one" in page
    assert ">man, old" in page
    assert "only you see this" in page
    form = (await site.get(f"{where}/edit")).text
    assert "&#34;man, old&#34;, sea" in form
    version = re.search(r'name="version" value="([^"]+)"', form)
    assert version is not None
    changed = {**fields, "title": "Changed", "version": version[1].replace("&#34;", '"')}
    assert (await send(site, f"{where}/edit", changed)).status_code == 303
    assert "Changed" in (await site.get(where)).text
    late = await send(site, f"{where}/edit", {**changed, "title": "Too late"})
    assert late.status_code == 412
    assert "Too late" in late.text
    assert "newest version" in late.text
    sign_in(site, settings, BEN, "content:write")
    assert "Changed" in (await site.get("/?q=changed")).text
    assert (await site.get(f"{where}/edit")).status_code == 404
    assert (await send(site, "/new", {}, action=f"{where}/delete")).status_code == 403
    sign_in(site, settings, ADA, "content:write")
    assert (await send(site, where, {}, action=f"{where}/delete")).status_code == 303
    assert (await site.get(where)).status_code == 404


async def test_a_refused_form_comes_back_as_it_was(site: httpx.AsyncClient, settings: Settings) -> None:
    sign_in(site, settings, ADA, "content:write")
    fields = {"title": "Kept", "tags": "a, b", "content_type": "Not a type", "quality_score": "good"}
    back = await send(site, "/new", fields)
    assert back.status_code == 422
    for kept in ("Kept", "a, b", "Not a type", "good"):
        assert kept in back.text
    assert (await send(site, "/new", {**fields, "quality_score": "", "source": "nowhere"})).status_code == 422


async def test_operations_are_for_administrators_or_for_all_where_that_is_said(
    site: httpx.AsyncClient, settings: Settings
) -> None:
    sign_in(site, settings, ADA, "content:write")
    assert (await site.get("/ops")).status_code == 403
    sign_in(site, settings, ADA, "admin")
    page = await site.get("/ops?range=15m")
    assert page.status_code == 200
    assert "Slowest queries" in page.text
    assert (await site.get("/ops?range=2m")).status_code == 400
    explained = await site.get("/ops/explain", params={"query": '{"tags_all":["castle"]}'})
    assert (explained.status_code, NAMES[ADA] in explained.text) == (200, True)
    assert (await site.get("/ops/explain", params={"query": "{"})).status_code == 400
    async with visiting(settings.model_copy(update={"open_operations": True})) as everybody:
        assert (await everybody.get("/ops")).status_code == 200
        assert (await everybody.get("/ops/explain", params={"query": "{}"})).status_code == 401


async def test_what_a_form_does_not_change_is_not_written(site: httpx.AsyncClient, settings: Settings) -> None:
    sign_in(site, settings, ADA, "content:write")
    bearer = {"authorization": f"Bearer {make_token(settings, ADA, 'ada', ('content:write',), 60)}"}
    body: dict[str, object] = {
        "title": " ends ",
        "prompt": "\n one\ntwo \n",
        "tags": ["b, c", "a"],
        "content_type": "image",
    }
    body |= {"path_thumb": "/a b.png ", "quality_score": 0.1}
    made = await site.post("/api/v1/content/auto", json=body, headers=bearer)
    where, api = f"/auto/{made.json()['id']}", made.headers["location"]
    before = (await site.get(api)).json()
    shown = (await site.get(f"{where}/edit")).text
    fields = {
        name: unescape(value) for name, value in re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', shown)
    }
    fields |= {
        name: unescape(text) for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\n?([^<]*)<', shown)
    }
    fields["prompt"] = fields["prompt"].replace("\n", "\r\n")
    fields.pop("is_private", None)
    assert (await site.post(f"{where}/edit", data=fields)).status_code == 303
    assert (await site.get(api)).json() == before
    assert (await site.post(f"{where}/edit", data={**fields, "title": "Another"})).status_code == 303
    after = (await site.get(api)).json()
    assert (after["title"], after["prompt"], after["path_thumb"]) == ("Another", before["prompt"], before["path_thumb"])
