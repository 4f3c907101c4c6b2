"""The API as a caller sees it: answers, private items, and refusals."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.application import ADA, BEN, EVE, Gallery, Tokens, assert_problem, running
from pinakes.api.app import create_app
from pinakes.api.parameters import UNIFIED
from pinakes.api.routes import ROUTES
from pinakes.errors import SchemaMismatch, SettingsError
from pinakes.settings import Settings
from pinakes.store.pool import Pool

URL = "/api/v1/content/unified"


def titles(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [item["title"] for item in response.json()["items"]]


async def test_an_answer_has_everything_the_design_promises(client: httpx.AsyncClient, gallery: Gallery) -> None:
    response = await client.get(URL, params={"tag_names": "castle"})
    answer = response.json()
    public = gallery.public
    tags = [{"id": tag.id, "name": tag.name, "category": ""} for tag in public.tags]
    assert answer["items"] == [
        {
            "source_type": "regular",
            "id": public.id,
            "external_id": public.external_id,
            "title": "Castle at sunset",
            "content_type": "image",
            "content_data": None,
            "path_thumb": None,
            "path_thumbs_alt_res": None,
            "prompt": "oil on canvas",
            "creator_id": ADA,
            "creator_username": "ada",
            "item_metadata": None,
            "is_private": False,
            "quality_score": 0.5,
            "created_at": public.created_at.isoformat().replace("+00:00", "Z"),
            "updated_at": public.updated_at.isoformat().replace("+00:00", "Z"),
            "tags": tags,
        }
    ]
    assert answer["pagination"] == {
        "page": 1,
        "page_size": 25,
        "total_count": 1,
        "total_kind": "exact",
        "total_pages": 1,
        "has_next": False,
        "has_previous": False,
        "next_cursor": None,
        "prev_cursor": None,
    }
    assert answer.keys() == {
        "items", "pagination", "engine", "as_of", "epoch", "query", "warnings",
        "_from_cache", "_cached_at", "_cache_ttl", "_cache_age_seconds",
    }  # fmt: skip
    assert all("passed over" in warning for warning in answer["warnings"])  # there is no read model here


async def test_every_caller_sees_public_items_and_their_own(client: httpx.AsyncClient, token: Tokens) -> None:
    for headers, total in (({}, 2), (token(BEN), 2), (token(EVE, "content:admin", "admin"), 2), (token(ADA), 3)):
        answer = (await client.get(URL, headers=headers)).json()
        assert (len(answer["items"]), answer["pagination"]["total_count"]) == (total, total)


async def test_a_private_item_leaves_no_trace_for_others(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens
) -> None:
    """Not in items, totals, tags or warnings, and its address is like one that never was."""
    item = f"/api/v1/content/auto/{gallery.private.id}"
    secret = next(tag for tag in gallery.private.tags if tag.name == "secret")
    for headers in ({}, token(BEN), token(EVE, "content:admin")):
        missing = assert_problem(await client.get("/api/v1/content/auto/999", headers=headers), 404, "PK202")
        hidden = assert_problem(await client.get(item, headers=headers), 404, "PK202")
        assert {**hidden, "detail": ""} == {**missing, "detail": ""}
        never = (await client.get(URL, params={"tag_names": "never"}, headers=headers)).json()
        answer = (await client.get(URL, params={"tag_names": "secret"}, headers=headers)).json()
        assert (answer["items"], answer["pagination"]["total_count"]) == ([], 0)
        assert answer["warnings"] == [w.replace("never", "secret") for w in never["warnings"]] != []
        assert titles(await client.get(URL, params={"search_term": "secret"}, headers=headers)) == []
        assert titles(await client.get(URL, params={"user_id": ADA, "creator_filter": "user"}, headers=headers)) == [
            "Castle at sunset"
        ]
        listed = (await client.get("/api/v1/tags", headers=headers)).json()
        assert [tag["name"] for tag in listed["tags"]] == ["boat", "castle", "sunset"]
        assert_problem(await client.get(f"/api/v1/tags/{secret.id}", headers=headers), 404, "PK202")
    assert titles(await client.get(URL, params={"tag_names": "secret"}, headers=token(ADA))) == ["Secret garden"]
    assert (await client.get(item, headers=token(ADA))).status_code == 200
    assert (await client.get(f"/api/v1/tags/{secret.id}", headers=token(ADA))).json()["name"] == "secret"


async def test_pages_and_cursors_walk_the_same_way(client: httpx.AsyncClient, token: Tokens) -> None:
    asked = {"page_size": "1", "sort_field": "title", "sort_order": "asc"}
    headers = token(ADA)
    pages = [titles(await client.get(URL, params={**asked, "page": str(n)}, headers=headers))[0] for n in (1, 2, 3)]
    assert pages == ["Boats", "Castle at sunset", "Secret garden"]
    walked: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {**asked, "cursor": cursor} if cursor else asked
        response = await client.get(URL, params=params, headers=headers)
        walked += titles(response)
        cursor = response.json()["pagination"]["next_cursor"]
    assert walked == pages
    beyond = (await client.get(URL, params={**asked, "page": "9"}, headers=headers)).json()
    assert (beyond["items"], beyond["pagination"]["total_count"]) == ([], 3)


async def test_a_broken_or_foreign_cursor_is_no_first_page(client: httpx.AsyncClient, token: Tokens) -> None:
    first = (await client.get(URL, params={"page_size": 1}, headers=token(ADA))).json()
    cursor = first["pagination"]["next_cursor"]
    other_query = {"cursor": cursor, "sort_order": "asc"}
    assert_problem(await client.get(URL, params=other_query, headers=token(ADA)), 400, "PK104")
    assert_problem(await client.get(URL, params={"cursor": cursor}, headers=token(BEN)), 400, "PK104")
    for broken in ("abc", cursor[:-1], cursor + "x", "ä", "." * 1000):
        refused = assert_problem(await client.get(URL, params={"cursor": broken}, headers=token(ADA)), 400, "PK103")
        assert refused["parameter"] == "cursor"


async def test_tag_match_and_the_empty_choice(client: httpx.AsyncClient) -> None:
    two = "tag_names=castle&tag_names=boat"
    assert sorted(titles(await client.get(f"{URL}?{two}"))) == ["Boats", "Castle at sunset"]
    assert titles(await client.get(f"{URL}?{two}&tag_match=all")) == []
    assert titles(await client.get(f"{URL}?content_source_types=")) == []
    assert titles(await client.get(f"{URL}?content_source_types=auto")) == ["Boats"]


async def test_tags_are_listed_by_prefix_and_walked(client: httpx.AsyncClient) -> None:
    first = (await client.get("/api/v1/tags", params={"limit": 2})).json()
    assert ([tag["name"] for tag in first["tags"]], first["next_after"]) == (["boat", "castle"], "castle")
    rest = (await client.get("/api/v1/tags", params={"limit": 2, "after": "castle"})).json()
    assert ([tag["name"] for tag in rest["tags"]], rest["next_after"]) == (["sunset"], None)
    assert [tag["name"] for tag in (await client.get("/api/v1/tags?q=ca")).json()["tags"]] == ["castle"]
    assert (await client.get("/api/v1/tags?q=%25")).json()["tags"] == []


BAD_REQUESTS: list[tuple[str, str, int, str]] = [
    ("GET", f"{URL}?sort_field=price", 400, "PK102"),
    ("GET", f"{URL}?colour=red", 400, "PK101"),
    ("GET", f"{URL}?page_size=5000", 400, "PK102"),
    ("GET", f"{URL}?page_size=0", 400, "PK102"),
    ("GET", f"{URL}?page=1&cursor=x", 400, "PK102"),
    ("GET", f"{URL}?created_after=never", 400, "PK102"),
    ("GET", f"{URL}?content_source_types=secret", 400, "PK102"),
    ("GET", f"{URL}?tag=x", 400, "PK102"),
    ("GET", f"{URL}?search_term=%00", 400, "PK102"),
    ("GET", f"{URL}?tag_names=%FF", 400, "PK102"),
    ("GET", f"{URL}?" + "&".join(f"tag={n}" for n in range(1, 2001)), 422, "PK105"),
    ("GET", "/api/v1/content/regular/x", 400, "PK102"),
    ("GET", "/api/v1/content/regular/1.0", 400, "PK102"),
    ("GET", "/api/v1/content/regular/99999999999999999999", 400, "PK102"),
    ("GET", "/api/v1/content/regular/9223372036854775807", 404, "PK202"),
    ("GET", "/api/v1/content/secret/1", 400, "PK102"),
    ("GET", "/api/v1/content/regular/1?verbose=1", 400, "PK101"),
    ("GET", "/api/v1/tags/x", 400, "PK102"),
    ("GET", "/api/v1/tags/2147483648", 400, "PK102"),
    ("GET", "/api/v1/tags/2147483647", 404, "PK202"),
    ("GET", "/api/v1/tags?limit=0", 400, "PK102"),
    ("GET", "/api/v1/tags?q=%00", 400, "PK102"),
    ("GET", "/api/v1/tags?q=" + "x" * 256, 400, "PK102"),
    ("GET", "/api/v2", 404, "PK701"),
    ("GET", "/api/v1/nowhere/", 404, "PK701"),
    ("GET", "/%FF/%00", 404, "PK701"),
    ("PUT", URL, 405, "PK702"),
    ("POST", f"{URL}?page=0", 400, "PK102"),
    ("PUT", "/api/v1/content/regular/1", 405, "PK702"),
    ("BREW", "/healthz", 405, "PK702"),
]


async def test_bad_requests_are_problem_documents(client: httpx.AsyncClient) -> None:
    for method, url, status, code in BAD_REQUESTS:
        problem = assert_problem(await client.request(method, url), status, code)
        if code in {"PK101", "PK102", "PK105"}:
            assert problem["parameter"], (url, problem)
            assert problem["allowed"] is not None, (url, problem)


async def test_405_lists_every_method_of_the_address(client: httpx.AsyncClient) -> None:
    assert (await client.put("/api/v1/content/regular/1")).headers["allow"] == "DELETE, GET, HEAD, PATCH"


async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient) -> None:
    for url in (URL, "/healthz", "/nowhere", "/docs", "/openapi.json", f"{URL}?x=1"):
        headers = (await client.get(url, headers={"origin": "http://elsewhere"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert not [name for name in headers if name.startswith("access-control-")]


async def test_an_unexpected_exception_shows_nothing_of_itself(
    client: httpx.AsyncClient, gallery: Gallery, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """A column of another type than any migration gives it."""
    await pool.execute("ALTER TABLE tags DROP CONSTRAINT tags_category_check, ALTER COLUMN category DROP DEFAULT")
    await pool.execute("ALTER TABLE tags ALTER COLUMN category TYPE bytea USING 'inside'::bytea")
    response = await client.get(f"/api/v1/content/regular/{gallery.public.id}")
    assert_problem(response, 500, "PK000")
    assert "bytes" not in response.text
    assert "nosniff" in response.headers["x-content-type-options"]
    assert [record.exc_info for record in caplog.records if record.name == "pinakes.api.guard"]


async def test_a_database_without_its_tables_is_unavailable_not_an_error(client: httpx.AsyncClient, pool: Pool) -> None:
    await pool.execute("DROP TABLE content_tags CASCADE")
    for url in (URL, "/api/v1/content/regular/1", "/api/v1/tags"):
        response = await client.get(url)
        assert "content_tags" not in response.text
        assert_problem(response, 503, "PK403")


async def test_a_statement_too_slow_is_504(settings: Settings, gallery: Gallery, pool: Pool) -> None:
    async with (
        running(settings.model_copy(update={"statement_timeout_ms": 50})) as client,
        pool.acquire() as conn,
        conn.transaction(),
    ):
        await conn.execute("LOCK TABLE content_items")
        assert_problem(await client.get(URL), 504, "PK402")


async def test_health_and_readiness(client: httpx.AsyncClient, pool: Pool) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = (await client.get("/readyz")).json()
    assert ready.pop("parts").keys() == {"postgresql", "schema", "redis", "cache"}
    assert ready == {"status": "ok", "warnings": []}
    await pool.execute("DELETE FROM alembic_version")
    problem = assert_problem(await client.get("/readyz"), 503, "PK505")
    assert problem["parts"] == {"postgresql": "ok", "schema": "failed", "redis": "ok", "cache": "degraded"}
    assert (await client.get("/healthz")).status_code == 200


async def test_redis_that_is_gone_is_named_by_readiness_and_by_nothing_else(
    settings: Settings, gallery: Gallery
) -> None:
    gone = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running(gone) as client:
        assert len(titles(await client.get(URL))) == 2
        ready = (await client.get("/readyz")).json()
        assert ready == {
            "status": "degraded",
            "parts": {"postgresql": "ok", "schema": "ok", "redis": "failed", "cache": "degraded"},
            "warnings": [],
        }
        assert "127.0.0.1" not in str(ready)


async def test_a_start_that_cannot_serve_fails_with_the_reason(settings: Settings, blank_database_url: str) -> None:
    for changed, error in (
        ({"database_url": blank_database_url}, SchemaMismatch),
        ({"cursor_secret": None}, SettingsError),
    ):
        app = create_app(settings.model_copy(update=changed))
        with pytest.raises(error):
            async with app.router.lifespan_context(app):
                pass


async def test_openapi_lists_every_route_parameter_and_field(client: httpx.AsyncClient, gallery: Gallery) -> None:
    openapi = (await client.get("/openapi.json")).json()
    assert {(path, method) for path, methods in openapi["paths"].items() for method in methods} == {
        (route.path, route.method.lower()) for route in ROUTES
    }
    described = openapi["paths"][URL]["get"]["parameters"]
    listed = {parameter["name"]: parameter for parameter in described if parameter["in"] == "query"}
    assert listed.keys() == {parameter.name for parameter in UNIFIED}
    assert {name for name, one in listed.items() if one["schema"]["type"] == "array"} == {
        "content_source_types", "content_types", "fields", "tag", "tag_names", "tags_all", "tags_any", "tags_none"
    }  # fmt: skip
    schemas = openapi["components"]["schemas"]
    answer = (await client.get(f"{URL}?include_facets=true")).json()
    assert answer.keys() == schemas["Answer"]["properties"].keys() - {"explain"}
    facets = (await client.get(f"{URL}/facets")).json()
    assert facets.keys() == schemas["Facets"]["properties"].keys()
    assert answer["items"][0].keys() == schemas["Item"]["properties"].keys() - {"omitted", "warnings"}
    assert answer["pagination"].keys() == schemas["Pagination"]["properties"].keys()
    assert schemas["Draft"]["required"] == ["title"]


async def test_the_documentation_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    assert all(parameter.name in page for parameter in UNIFIED)
    assert "<script" not in page
    assert "//" not in page


names = st.sampled_from([parameter.name for parameter in UNIFIED]) | st.text(max_size=4)
words = st.sampled_from(
    ["", "1", "0", "2147483647", "sunset", "asc", "title", "auto", "user-auto", "2024-01-01", "or", "%"]
)
pairs = st.lists(st.tuples(names, words | st.text(max_size=12) | st.floats().map(str)), max_size=5)


@given(asked=pairs)
@hypothesis_settings(max_examples=150)
async def test_no_query_string_is_ever_an_error_of_ours(
    client: httpx.AsyncClient, asked: list[tuple[str, Any]]
) -> None:
    text = "&".join(f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in asked)
    response = await client.get(f"{URL}?{text}")
    assert response.status_code in {200, 400, 422}, response.text
    if response.status_code != 200:
        assert_problem(response, response.status_code)
