"""The search box and what stands around it, over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from api.application import ADA, BEN, Gallery, Tokens, assert_problem
from pinakes.settings import Settings
from pinakes.store import aliases, hierarchy
from pinakes.store.pool import Pool

UNIFIED = "/api/v1/content/unified"
SUGGEST = "/api/v1/tags/suggest"


async def _get(client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **query: object) -> Any:
    response = await client.get(path, params={name: str(value) for name, value in query.items()}, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def test_q_is_answered_and_comes_back_in_canonical_form(client: httpx.AsyncClient, gallery: Gallery) -> None:
    answer = await _get(client, UNIFIED, q="-boat   sunset order:title asc:")
    assert [item["title"] for item in answer["items"]] == [gallery.public.title]
    assert answer["query"] == "sunset -boat order:title asc:"
    assert answer["pagination"]["total_count"] == 1
    assert (await _get(client, UNIFIED))["query"] is None


async def test_a_word_that_is_no_tag_searches_the_text_and_says_so(client: httpx.AsyncClient, gallery: Gallery) -> None:
    answer = await _get(client, UNIFIED, q="canvas")
    assert [item["id"] for item in answer["items"]] == [gallery.public.id]
    assert answer["warnings"][0] == "there is no tag 'canvas'; it is searched in title and prompt"


async def test_q_and_parameters_combine(client: httpx.AsyncClient) -> None:
    assert (await _get(client, UNIFIED, q="sunset", tags_all="boat"))["pagination"]["total_count"] == 1
    assert (await _get(client, UNIFIED, q="castle", tags_all="boat"))["pagination"]["total_count"] == 0
    assert (await _get(client, UNIFIED, q="by:ben source:auto type:image tags:2"))["pagination"]["total_count"] == 1


async def test_mine_is_the_callers(client: httpx.AsyncClient, token: Tokens) -> None:
    assert (await _get(client, UNIFIED, q="mine:"))["pagination"]["total_count"] == 0
    assert (await _get(client, UNIFIED, token(ADA), q="mine:"))["pagination"]["total_count"] == 2
    assert (await _get(client, UNIFIED, token(BEN), q="mine:"))["pagination"]["total_count"] == 1


@pytest.mark.parametrize("path", [UNIFIED, f"{UNIFIED}/histogram", f"{UNIFIED}/related"])
async def test_a_wrong_q_says_where_what_and_what_else(client: httpx.AsyncClient, path: str) -> None:
    problem = assert_problem(await client.get(path, params={"q": "sea scroe:>1"}), 400, "PK106")
    assert (problem["position"], problem["suggestion"], problem["parameter"]) == (4, "sea score:>1", "q")
    assert "score:" in problem["expected"]  # type: ignore[operator]


async def test_q_has_stated_ceilings_and_none_below(client: httpx.AsyncClient, settings: Settings) -> None:
    many = " ".join(f"~tag{n}" for n in range(settings.max_terms))
    assert (await _get(client, UNIFIED, q=many))["pagination"]["total_count"] == 0
    assert_problem(await client.get(UNIFIED, params={"q": f"{many} other"}), 422, "PK105")
    assert_problem(await client.get(UNIFIED, params={"q": many, "tags_none": "x"}), 422, "PK105")
    assert_problem(await client.get(UNIFIED, params={"q": "(" * 60}), 422, "PK105")


async def test_two_orders_contradict_each_other(client: httpx.AsyncClient) -> None:
    assert (await client.get(UNIFIED, params={"q": "order:title", "sort_field": "title"})).status_code == 200
    problem = assert_problem(await client.get(UNIFIED, params={"q": "order:title", "sort_field": "created_at"}), 400)
    assert problem["parameter"] == "sort_field"


async def test_a_cursor_goes_on_with_q(client: httpx.AsyncClient) -> None:
    first = await _get(client, UNIFIED, q="sunset order:title", page_size=1)
    cursor = first["pagination"]["next_cursor"]
    second = await _get(client, UNIFIED, q="order:title sunset", page_size=1, cursor=cursor)
    assert (
        second["items"][0]["id"] != first["items"][0]["id"] or second["items"][0]["title"] != first["items"][0]["title"]
    )
    assert_problem(await client.get(UNIFIED, params={"q": "boat order:title", "cursor": cursor}), 400, "PK104")


async def test_suggestions_count_what_the_caller_sees(client: httpx.AsyncClient, token: Tokens) -> None:
    async def told(who: dict[str, str] | None, **query: object) -> list[tuple[str, int]]:
        found = await _get(client, SUGGEST, who, **query)
        return [(each["label"], each["count"]) for each in found["suggestions"]]

    assert await told(None, q="s") == [("sunset", 2)]
    assert await told(token(BEN), q="s") == [("sunset", 2)]
    assert await told(token(ADA), q="s") == [("sunset", 3), ("secret", 1)]
    assert await told(None, q="secret") == []
    assert await told(None, q="secrt") == []
    assert await told(None, q="sunst") == [("sunset", 2)]
    assert await told(None, q="") == [("sunset", 2), ("boat", 1), ("castle", 1)]
    assert await told(None, q="", limit=1) == [("sunset", 2)]
    assert await told(None, q="", within=urlencode({"q": "castle"})) == [("castle", 1), ("sunset", 1)]
    assert await told(token(ADA), q="s", within="creator_filter=user") == [("sunset", 2), ("secret", 1)]


EMOTICONS = (":)", "^_^", "...", "?", "!?", ":D", "¯\\_(ツ)_/¯", "Wählen", "ﬁne art", "ﾊﾝｶｸ")


async def test_names_that_are_no_words_are_suggested_and_found(client: httpx.AsyncClient, token: Tokens) -> None:
    headers = token(ADA, "content:write")
    for name in EMOTICONS:
        await client.post("/api/v1/content/regular", json={"title": "t", "tags": [name, "other"]}, headers=headers)
    for name in EMOTICONS:
        for typed in (name, name[:-1] or name):
            found = (await _get(client, SUGGEST, q=typed))["suggestions"]
            assert found[0]["name"] == name or name in [each["name"] for each in found], typed
            assert "other" not in [each["name"] for each in found], typed
        quoted = name.replace("\\", "\\\\")
        assert (await _get(client, UNIFIED, q=f'tag:"{quoted}"'))["pagination"]["total_count"] == 1
    for typed, name in (("FINE", "ﬁne art"), ("wÄhl", "Wählen"), ("ハンカ", "ﾊﾝｶｸ"), ("art", "ﬁne art")):
        assert name in [each["name"] for each in (await _get(client, SUGGEST, q=typed))["suggestions"]]
    assert (await _get(client, SUGGEST, q=":~"))["suggestions"] == []


async def test_a_part_of_a_text_without_spaces_is_said_not_to_be_found(
    client: httpx.AsyncClient, token: Tokens
) -> None:
    headers = token(ADA, "content:write")
    for title in ("東京タワーの夜景", "สวัสดีครับ", "서울에서"):
        await client.post("/api/v1/content/regular", json={"title": title}, headers=headers)
    for part in ("東京", "สวัสดี", "서울"):
        for asked in ({"search_term": part}, {"q": part}):
            answer = await _get(client, UNIFIED, None, **asked)
            assert answer["pagination"]["total_count"] == 0
            assert any(f"{part!r} is found as a whole word only" in each for each in answer["warnings"])
    answer = await _get(client, UNIFIED, search_term="東京タワーの夜景")
    assert answer["pagination"]["total_count"] == 1
    assert not any("whole word" in each for each in answer["warnings"])
    assert not any("whole word" in each for each in (await _get(client, UNIFIED, q="nothing"))["warnings"])


async def test_suggestions_show_aliases_as_arrows(client: httpx.AsyncClient, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await aliases.put(conn, {"early dusk": "sunset", "hidden dusk": "secret"})
    for typed in ("dusk", "early d", "EARLY_DU", "dsuk"):
        found = (await _get(client, SUGGEST, q=typed))["suggestions"]
        assert [each["label"] for each in found] == ["early dusk → sunset"], typed
        assert (found[0]["name"], found[0]["alias"]) == ("sunset", "early dusk")


async def test_a_wrong_filter_within_is_named(client: httpx.AsyncClient) -> None:
    problem = assert_problem(await client.get(SUGGEST, params={"q": "s", "within": "q=scroe:>1"}), 400, "PK102")
    assert problem["parameter"] == "within"
    assert_problem(await client.get(SUGGEST, params={"q": "s", "within": "page=2"}), 400)
    assert_problem(await client.get(SUGGEST, params={"q": "s", "limit": "0"}), 400)


async def test_related_tags_go_with_a_tag_as_far_as_one_sees(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    ids = {tag.name: tag.id for tag in (*gallery.private.tags, *gallery.public.tags)}

    async def told(who: dict[str, str] | None, path: str, **query: object) -> list[tuple[str, int, int]]:
        found = await _get(client, path, who, **query)
        return [(each["name"], each["together"], each["count"]) for each in found["related"]]

    assert await told(None, f"/api/v1/tags/{ids['sunset']}/related") == [("castle", 1, 1), ("boat", 1, 1)]
    assert ("secret", 1, 1) in await told(token(ADA), f"/api/v1/tags/{ids['sunset']}/related")
    assert_problem(await client.get(f"/api/v1/tags/{ids['secret']}/related"), 404)
    assert await told(None, f"{UNIFIED}/related", q="castle") == [("sunset", 1, 2)]
    found = await _get(client, f"{UNIFIED}/related", q="castle")
    assert found["related"][0]["cosine"] == pytest.approx(1 / 2**0.5)


async def test_histograms_count_the_filter(client: httpx.AsyncClient, token: Tokens) -> None:
    found = await _get(client, f"{UNIFIED}/histogram", field="quality_score", buckets=3)
    assert found["buckets"] == [{"from": 0.5, "to": 0.5, "count": 1}]
    assert (found["missing"], found["total_count"]) == (1, 2)
    found = await _get(client, f"{UNIFIED}/histogram", token(ADA), q="sunset", buckets=4)
    assert sum(each["count"] for each in found["buckets"]) == found["total_count"] == 3
    assert (await _get(client, f"{UNIFIED}/histogram", q="nowhere"))["buckets"] == []
    assert_problem(await client.get(f"{UNIFIED}/histogram", params={"field": "title"}), 400)
    assert_problem(await client.get(f"{UNIFIED}/histogram", params={"buckets": "501"}), 400)


async def test_around_tells_both_neighbours_and_the_rank(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    path = f"{UNIFIED}/around"
    here: dict[str, Any] = {
        "source_type": "regular",
        "id": gallery.public.id,
        "sort_field": "title",
        "sort_order": "asc",
    }
    found = await _get(client, path, **here)
    assert (found["previous"]["title"], found["item"]["title"], found["next"]) == ("Boats", "Castle at sunset", None)
    assert (found["rank"], found["total_count"]) == (2, 2)
    found = await _get(client, path, token(ADA), **here)
    assert (found["next"]["title"], found["total_count"]) == ("Secret garden", 3)
    assert_problem(await client.get(path, params={"source_type": "auto", "id": str(gallery.private.id)}), 404)
    problem = assert_problem(
        await client.get(path, params={"source_type": "regular", "id": str(gallery.public.id), "q": "boat"}), 404
    )
    assert "does not find" in str(problem["detail"])
    assert_problem(await client.get(path, params={"id": "1"}), 400)


async def test_every_insight_has_the_members_that_are_documented(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    tag = gallery.public.tags[0].id
    asked: list[tuple[str, dict[str, object], str]] = [
        (f"{UNIFIED}/facets", {}, "Facets"),
        (f"{UNIFIED}/histogram", {}, "Histogram"),
        (f"{UNIFIED}/related", {}, "Related"),
        (f"/api/v1/tags/{tag}/related", {}, "Related"),
        (f"{UNIFIED}/around", {"source_type": "regular", "id": gallery.public.id}, "Around"),
    ]
    for path, query, schema in asked:
        answer = await _get(client, path, None, **query)
        assert answer.keys() == schemas[schema]["properties"].keys(), path
        assert answer["engine"] == "base"
        refused = await client.get(path, params={**{k: str(v) for k, v in query.items()}, "engine": "base"})
        assert_problem(refused, 401, "PK301")
        named = await _get(client, path, token(ADA, "admin"), **query, engine="base", use_cache="false")
        assert named["_from_cache"] is False


async def test_administration_needs_its_scope(client: httpx.AsyncClient, gallery: Gallery, token: Tokens) -> None:
    tag = gallery.public.tags[0].id
    calls = (
        ("PATCH", f"/api/v1/tags/{tag}"),
        ("DELETE", f"/api/v1/tags/{tag}"),
        ("POST", f"/api/v1/tags/{tag}/merge"),
        *(
            (method, f"/api/v1/admin/tag-{what}")
            for method in ("GET", "POST", "DELETE")
            for what in ("aliases", "parents")
        ),
    )
    for method, path in calls:
        scopes = token(ADA, "content:write", "content:admin")
        for who, status, code in (({}, 401, "PK301"), (scopes, 403, "PK302")):
            assert_problem(await client.request(method, path, headers=who, json={}), status, code)


async def test_administrators_rename_merge_and_delete(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    admin = token(ADA, "admin")
    ids = {tag.name: tag.id for item in (gallery.public, gallery.other, gallery.private) for tag in item.tags}

    async def call(method: str, path: str, body: object = None, **query: str) -> httpx.Response:
        return await client.request(method, path, headers=admin, json=body, params=query)

    changed = await call(
        "PATCH", f"/api/v1/tags/{ids['boat']}", {"name": "ship", "category": "thing", "keep_alias": True}
    )
    assert changed.json() == {"id": ids["boat"], "name": "ship", "category": "thing"}
    assert (await call("GET", "/api/v1/admin/tag-aliases")).json()["aliases"] == [{"alias": "boat", "tag": "ship"}]
    merged = await call("POST", f"/api/v1/tags/{ids['boat']}/merge", {"into": ids["castle"]})
    assert (merged.json()["into"]["name"], merged.json()["taggings"]) == ("castle", 1)
    assert (await _get(client, UNIFIED, q="ship"))["pagination"]["total_count"] == 2
    assert_problem(await call("DELETE", f"/api/v1/tags/{ids['castle']}"), 409)
    assert (await call("DELETE", f"/api/v1/tags/{ids['castle']}", taggings="true")).status_code == 204
    assert_problem(await call("DELETE", f"/api/v1/tags/{ids['castle']}"), 404)
    assert_problem(await call("PATCH", f"/api/v1/tags/{ids['sunset']}", {"nmae": "x"}), 422)
    assert_problem(await call("PATCH", f"/api/v1/tags/{ids['sunset']}", {"name": 1}), 422)
    assert_problem(await call("PATCH", f"/api/v1/tags/{ids['sunset']}", {}), 422)
    assert_problem(await call("PATCH", f"/api/v1/tags/{ids['sunset']}", {"name": "secret"}), 409)
    assert_problem(await call("POST", f"/api/v1/tags/{ids['sunset']}/merge", {"into": 2**40}), 404)
    assert_problem(await call("POST", f"/api/v1/tags/{ids['sunset']}/merge", {"into": ids["sunset"]}), 422)


async def test_administrators_keep_aliases_and_the_hierarchy(client: httpx.AsyncClient, token: Tokens) -> None:
    admin = token(ADA, "admin")

    async def call(method: str, what: str, body: object = None, **query: str) -> httpx.Response:
        return await client.request(method, f"/api/v1/admin/tag-{what}", headers=admin, json=body, params=query)

    assert (await call("POST", "aliases", {"alias": "dusk", "tag": "sunset"})).status_code == 201
    assert (await call("POST", "aliases", {"alias": "dusk", "tag": "sunset"})).status_code == 200
    assert_problem(await call("POST", "aliases", {"alias": "sunset", "tag": "castle"}), 409)
    assert_problem(await call("POST", "aliases", {"alias": "x"}), 422)
    assert (await _get(client, UNIFIED, q="dusk"))["pagination"]["total_count"] == 2
    assert (await call("DELETE", "aliases", alias="dusk")).status_code == 204
    assert_problem(await call("DELETE", "aliases", alias="dusk"), 404)
    assert (await call("POST", "parents", {"child": "castle", "parent": "boat"})).status_code == 201
    problem = assert_problem(await call("POST", "parents", {"child": "boat", "parent": "castle"}), 409)
    assert "castle → boat → castle" in str(problem["detail"]) or "boat → castle → boat" in str(problem["detail"])
    assert (await _get(client, UNIFIED, q="boat"))["pagination"]["total_count"] == 2
    assert (await _get(client, UNIFIED, q="boat", descendants="false"))["pagination"]["total_count"] == 1
    assert (await _get(client, UNIFIED, tags_all="boat", descendants="true"))["pagination"]["total_count"] == 2
    assert (await call("GET", "parents")).json()["parents"] == [{"child": "castle", "parent": "boat"}]
    assert (await call("DELETE", "parents", child="castle", parent="boat")).status_code == 204
    assert_problem(await call("DELETE", "parents", child="castle", parent="boat"), 404)
    assert_problem(await call("DELETE", "parents", child="castle"), 400)


async def test_nothing_hints_at_private_items_below_a_tag(client: httpx.AsyncClient, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("INSERT INTO tags (name) VALUES ('hidden things')")
        await hierarchy.put(conn, [("secret", "hidden things")])
        await aliases.put(conn, {"confidential": "secret"})
    for q in ("hidden_things", "tag:secret", "confidential", "hid*", "tag:confidential"):
        answer = await _get(client, UNIFIED, q=q)
        assert answer["pagination"]["total_count"] == 0
        assert answer["warnings"]
        typed = q.removeprefix("tag:")
        unknown = await _get(client, UNIFIED, q=q.replace(typed, "zz" + typed))
        assert [w.replace("zz", "") for w in unknown["warnings"]] == answer["warnings"]
    assert (await _get(client, SUGGEST, q="hid"))["suggestions"] == []
