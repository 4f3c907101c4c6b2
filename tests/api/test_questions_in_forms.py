"""Questions asked in the form of a POST: the same answers as in the address of a GET, at any length allowed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.application import ADA, Gallery, Tokens, assert_problem, running
from pinakes.api.gallery import _remembered
from pinakes.settings import Settings

U = "/api/v1/content/unified"
QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    (U, {}),
    (U, {"q": "sunset -castle", "page_size": "1", "page": "2"}),
    (U, {"tags_any": ["sunset", "boat"], "sort_field": "title", "sort_order": "asc", "include_facets": "true"}),
    (U, {"tag_names": "no such tag", "search_term": 'åre & "50 %"+1'}),
    (U, {"content_types": "", "content_source_types": "user-regular", "user_id": str(ADA)}),
    (f"{U}/facets", {"q": "sunset", "limit": "3"}),
    (f"{U}/histogram", {"field": "quality_score", "buckets": "4"}),
    (f"{U}/related", {"q": "sunset"}),
    ("/api/v1/tags/suggest", {"q": "s", "within": "q=sunset"}),
)
VOLATILE = {"as_of", "epoch", "_from_cache", "_cached_at", "_cache_ttl", "_cache_age_seconds"}


def _kept(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {name: value for name, value in answer.json().items() if name not in VOLATILE}


@pytest.mark.parametrize("viewer", [None, ADA])
async def test_a_form_is_answered_like_the_same_address(
    client: httpx.AsyncClient, gallery: Gallery, token: Tokens, viewer: int | None
) -> None:
    headers = {} if viewer is None else token(viewer)
    for path, asked in QUESTIONS:
        address = await client.get(path, params=asked, headers=headers)
        form = await client.post(path, data=asked, headers=headers)
        assert _kept(form) == _kept(address), asked
        assert form.headers.get("etag") == address.headers.get("etag")
        if not asked:  # httpx sends no type without fields
            continue
        name, *others = asked
        half = await client.post(path, params={name: asked[name]}, data={o: asked[o] for o in others}, headers=headers)
        assert _kept(half) == _kept(address), asked


async def test_a_cursor_goes_on_in_a_form_and_an_answer_is_stored_once_for_both(
    settings: Settings, gallery: Gallery
) -> None:
    async with running(settings.model_copy(update={"cache_strategy": "ttl"})) as client:
        asked = {"q": "sunset", "page_size": "1"}
        first = await client.get(U, params=asked)
        assert (await client.post(U, data=asked)).headers["x-cache"] == "HIT"
        assert (await client.post(U, data=asked, headers={"cache-control": "no-store"})).headers["x-cache"] == "BYPASS"
        assert (await client.post(U, data=asked | {"use_cache": "false"})).headers["x-cache"] == "BYPASS"
        cursor = first.json()["pagination"]["next_cursor"]
        following = await client.post(U, data=asked | {"cursor": cursor})
        assert following.json()["items"] == (await client.get(U, params=asked | {"page": "2"})).json()["items"]


async def test_a_form_is_never_answered_with_304(client: httpx.AsyncClient, gallery: Gallery) -> None:
    etag = (await client.get(U)).headers["etag"]
    assert (await client.get(U, headers={"if-none-match": etag})).status_code == 304
    form = await client.post(U, data={"page": "1"}, headers={"if-none-match": etag})
    assert (form.status_code, form.headers["etag"]) == (200, etag)


async def test_what_is_wrong_in_a_form_is_named_as_in_an_address(client: httpx.AsyncClient, gallery: Gallery) -> None:
    for asked, status, code, parameter in (
        ({"nothing": "1"}, 400, "PK101", "nothing"),
        ({"page_size": "0"}, 400, "PK102", "page_size"),
        ({"cursor": "x"}, 400, "PK103", "cursor"),
        ({"q": "(sunset"}, 400, "PK106", "q"),
        ({"tags_all": [f"tag {n}" for n in range(2000)]}, 422, "PK105", "tags_all"),
        ({"search_term": "x" * 1_000_000}, 422, "PK105", "search_term"),
        ({"nothing": "x" * 1_000_000}, 422, "PK105", None),
        ({"engine": "base"}, 401, None, "engine"),
    ):
        problem = assert_problem(await client.post(U, data=asked), status, code)
        assert problem.get("parameter") == parameter, problem
    both = assert_problem(await client.post(f"{U}?page=1", data={"page": "2"}), 400, "PK102")
    assert both["detail"] == "page is given twice."
    broken = await client.post(U, content=b"q=%ff", headers={"content-type": "application/x-www-form-urlencoded"})
    assert_problem(broken, 400, "PK102")


async def test_only_forms_are_questions(client: httpx.AsyncClient, gallery: Gallery) -> None:
    for wrong in ({"json": {"q": "sunset"}}, {"content": b"q=sunset"}, {"files": {"q": b"sunset"}}):
        problem = assert_problem(await client.post(U, **wrong), 415, "PK709")
        assert problem["allowed"] == "application/x-www-form-urlencoded"
    typed = {"content-type": "Application/X-WWW-Form-URLencoded; charset=utf-8"}
    assert (await client.post(U, content=b"q=sunset", headers=typed)).json()["query"] == "sunset"
    assert_problem(await client.post("/api/v1/tags/1/related", data={"limit": "1"}), 405, "PK702")


async def test_a_form_may_be_longer_than_an_address(settings: Settings, gallery: Gallery) -> None:
    """As long as the settings allow; and it is not kept in memory."""
    async with running(settings.model_copy(update={"max_query_bytes": 300_000})) as client:
        names = [f"{'é' * 100} {number}" for number in range(400)]
        before = len(_remembered.memory)
        answer = await client.post(U, data={"tags_any": [*names, "sunset"], "use_cache": "false"})
        assert int(answer.request.headers["content-length"]) > 200_000
        assert answer.json()["pagination"] == (await client.get(U, params={"q": "sunset"})).json()["pagination"]
        assert len(_remembered.memory) == before
