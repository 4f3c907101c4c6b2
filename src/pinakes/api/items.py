"""Routes of single items: read, create, change, delete.

    GET    /api/v1/content/{source_type}/{id}    200, or 304 where If-None-Match has the ETag
    POST   /api/v1/content/{source_type}         201 with Location; sent again with the same
                                                 Idempotency-Key, 201 with what it made the first time
    PATCH  /api/v1/content/{source_type}/{id}    200; If-Match, or updated_at in the body: 412 if changed since
    DELETE /api/v1/content/{source_type}/{id}    204; If-Match likewise

Bodies are one JSON object of at most `max-body-bytes`. A write with `refresh=wait_for` is answered when
every reader sees it; `X-Pinakes-Epoch` is the epoch from which they do, and is missing where that took
longer than `wait-for-seconds` (the write is kept all the same). Where characters had to be repaired, the answer's
`warnings` say which; otherwise it has none.

Writing is not reading: whoever writes an item they may not read (`content:admin`, another's private one) is told
its `source_type` and `id` and nothing else of it, without an ETag.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api import encode, params, values
from pinakes.api.body import read_object
from pinakes.api.parameters import WRITES, Parameter
from pinakes.api.problem import shown
from pinakes.api.proxies import link
from pinakes.api.state import identity_of, state_of
from pinakes.errors import InvalidParameter
from pinakes.query.item import Item, Unread
from pinakes.query.sources import SOURCE_BY_CODE, SOURCE_BY_NAME, Source
from pinakes.service import Receipt
from pinakes.store.content import Change, Draft, etag
from pinakes.store.idempotency import Key

COLLECTION = "/api/v1/content/{source_type}"
PATH = "/api/v1/content/{source_type}/{id}"

_ID_ALLOWED = f"a whole number from 0 to {values.MAX_BIGINT}"
_read_id = values.whole(0, values.MAX_BIGINT)


async def read_item(request: Request) -> Response:
    """One item that the caller may see."""
    viewer = identity_of(request).user_id
    source, item_id = _address(request)
    item = await state_of(request).service.get(source, item_id, viewer)
    headers = _headers(item)
    if _has_it(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return _answer(item)


async def create_item(request: Request) -> Response:
    """A new item of the caller."""
    author = identity_of(request).author()
    source = _source(request, WRITES)
    draft = Draft.model_validate(await read_object(request))
    receipt = Receipt()
    given = request.headers.get("idempotency-key")
    key = None if given is None else Key.of(author.user_id, given, source, draft.model_dump_json().encode())
    item = await state_of(request).service.create(source, draft, author, receipt=receipt, key=key)
    location = {"location": link(PATH.format(source_type=source.name, id=item.id))}
    return _answer(item, 201, {**location, **await _seen(request, receipt)}, draft.repairs)


async def change_item(request: Request) -> Response:
    """New values for some fields of an item."""
    author = identity_of(request).author()
    source, item_id = _address(request, WRITES)
    change = Change.model_validate(await read_object(request))
    receipt = Receipt()
    item = await state_of(request).service.update(
        source, item_id, change, author, if_match=_if_match(request), receipt=receipt
    )
    return _answer(item, more=await _seen(request, receipt), warnings=change.repairs)


async def delete_item(request: Request) -> Response:
    """Removes an item."""
    author = identity_of(request).author()
    source, item_id = _address(request, WRITES)
    receipt = Receipt()
    await state_of(request).service.delete(source, item_id, author, if_match=_if_match(request), receipt=receipt)
    return Response(status_code=204, headers=await _seen(request, receipt))


async def _seen(request: Request, receipt: Receipt) -> dict[str, str]:
    """After a write: tells who waits for writes; waits itself until it is visible, if that was asked for."""
    state = state_of(request)
    state.announcer.wrote()
    given = params.read(request.scope["query_string"], WRITES, state.settings)
    if given.one("refresh") != "wait_for":
        return {}
    epoch = await state.service.visible(receipt)
    return {} if epoch is None else {"x-pinakes-epoch": str(epoch)}


def _answer(
    item: Item | Unread, status: int = 200, more: dict[str, str] | None = None, warnings: tuple[str, ...] = ()
) -> Response:
    headers = {**_headers(item), **(more or {})}
    if isinstance(item, Unread):
        told: dict[str, Any] = {"source_type": SOURCE_BY_CODE[item.source].name, "id": item.id}
    else:
        told = encode.item(item)
    body = told | ({"warnings": warnings} if warnings else {})
    return Response(encode.to_json(body), status, headers, "application/json")


def _headers(item: Item | Unread) -> dict[str, str]:
    version = {} if isinstance(item, Unread) else {"etag": etag(item)}
    return {**version, "cache-control": "private, no-cache", "vary": "authorization"}


def _has_it(if_none_match: str | None, current: str) -> bool:
    """Whether the caller's copy is current; weak and strong validators count alike here."""
    if if_none_match is None:
        return False
    named = [validator.strip().removeprefix("W/") for validator in if_none_match.split(",")]
    return current in named or named == ["*"]


def _if_match(request: Request) -> str | None:
    """All `If-Match` headers as one list."""
    given = request.headers.getlist("if-match")
    return ", ".join(given) if given else None


def _source(request: Request, takes: tuple[Parameter, ...] = ()) -> Source:
    params.read(request.scope["query_string"], takes, state_of(request).settings)  # refuses all others
    name = request.path_params["source_type"]
    source = SOURCE_BY_NAME.get(name)
    if source is None:
        raise InvalidParameter(
            f"There is no source {shown(name)}.", parameter="source_type", allowed=list(SOURCE_BY_NAME)
        )
    return source


def _address(request: Request, takes: tuple[Parameter, ...] = ()) -> tuple[Source, int]:
    source = _source(request, takes)
    text = request.path_params["id"]
    try:
        return source, _read_id(text)
    except ValueError as error:
        raise InvalidParameter(f"id cannot be {shown(text)}.", parameter="id", allowed=_ID_ALLOWED) from error
