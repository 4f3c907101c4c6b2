"""New items, changed items, deleted items: the forms, and what is done with them.

The same service calls as the API's, so the same bounds. Whoever writes sees it on the next page: the answer
waits until every reader does, `PATIENCE_S` at most. A refused form comes back as it was, with the reason.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.state import state_of
from pinakes.errors import ContentError, InvalidContent, NotFound
from pinakes.query.item import Item
from pinakes.query.sources import SOURCE_BY_NAME, SOURCES
from pinakes.service import Receipt
from pinakes.store.content import Change, Draft, etag
from pinakes.web import form
from pinakes.web import page as pages
from pinakes.web.cards import card, path
from pinakes.web.item import named
from pinakes.web.session import visitor_of

PATIENCE_S = 3.0
_NOTHING = {
    "source": SOURCES[0].name, "title": "", "tags": "", "prompt": "", "content_type": "image", "path_thumb": "",
    "quality_score": "", "is_private": "", "version": "",
}  # fmt: skip


async def new(request: Request) -> Response:
    """The empty form."""
    visitor_of(request).identity.author()
    return _form(request, _NOTHING)


async def create(request: Request) -> Response:
    """Stores a new item."""
    author = visitor_of(request).identity.author()
    fields = _NOTHING | await form.read(request)
    receipt = Receipt()
    try:
        source = SOURCE_BY_NAME.get(fields["source"])
        if source is None:
            raise InvalidContent(f"There is no source {fields['source'][:50]!r}.", field="source")
        draft = Draft.model_validate(_values(fields))
        item = await state_of(request).service.create(source, draft, author, receipt=receipt)
    except ContentError as error:
        return _form(request, fields, fault=error)
    await _seen(request, receipt)
    return pages.see(path(item))


async def edit(request: Request) -> Response:
    """The form with an item in it."""
    author = visitor_of(request).identity.author()
    item = await _item(request)
    if not author.admin and item.creator_id != author.user_id:
        raise NotFound("There is no such item of yours.")
    return _form(request, _fields(item), item=item)


async def change(request: Request) -> Response:
    """Stores an item's new values."""
    author = visitor_of(request).identity.author()
    fields = _NOTHING | await form.read(request)
    item = await _item(request)
    source, number = named(request)
    receipt = Receipt()
    try:
        values = _values(fields)
        before = _fields(item)
        # A browser sends line ends as CRLF and texts without the spaces we cut: what was not touched is not written.
        touched = {name: value for name, value in values.items() if _sent(fields[name]) != _sent(before[name])}
        if not touched and (author.admin or item.creator_id == author.user_id):
            return pages.see(path(item))
        changed = Change.model_validate(touched)
        version = fields["version"] or None
        await state_of(request).service.update(source, number, changed, author, if_match=version, receipt=receipt)
    except ContentError as error:
        return _form(request, fields, item=item, fault=error)
    await _seen(request, receipt)
    return pages.see(path(item))


async def delete(request: Request) -> Response:
    """Removes an item."""
    author = visitor_of(request).identity.author()
    fields = await form.read(request)
    source, number = named(request)
    receipt = Receipt()
    version = fields.get("version") or None
    await state_of(request).service.delete(source, number, author, if_match=version, receipt=receipt)
    await _seen(request, receipt)
    return pages.see("/")


async def _item(request: Request) -> Item:
    source, number = named(request)
    return await state_of(request).service.get(source, number, visitor_of(request).id)


async def _seen(request: Request, receipt: Receipt) -> None:
    state = state_of(request)
    state.announcer.wrote()
    await state.service.visible(receipt, PATIENCE_S)


def _values(fields: dict[str, str]) -> dict[str, Any]:
    """A form's fields as the fields of an item.

    Raises:
        InvalidContent: the quality is no number.
    """
    quality = fields["quality_score"].strip().replace(",", ".")
    try:
        score = float(quality) if quality else None
    except ValueError as error:
        raise InvalidContent("quality_score is refused.", field="quality_score", allowed="a number") from error
    return {
        "title": fields["title"].strip(),
        "tags": form.names(fields["tags"]),
        "prompt": _sent(fields["prompt"]).strip() or None,
        "content_type": fields["content_type"].strip(),
        "path_thumb": fields["path_thumb"].strip() or None,
        "quality_score": score,
        "is_private": fields["is_private"] == "on",
    }


def _sent(text: str) -> str:
    """A field as a browser sends it, whose line ends are CRLF, with the line ends we keep."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fields(item: Item) -> dict[str, str]:
    """An item as the fields of a form."""
    return {
        "source": "",
        "title": item.title,
        "tags": form.typed(tuple(tag.name for tag in item.tags)),
        "prompt": item.prompt or "",
        "content_type": item.content_type,
        "path_thumb": item.path_thumb or "",
        "quality_score": "" if item.quality_score is None else repr(item.quality_score),
        "is_private": "on" if item.is_private else "",
        "version": etag(item),
    }


def _form(
    request: Request, fields: dict[str, str], *, item: Item | None = None, fault: ContentError | None = None
) -> Response:
    return pages.render(
        request,
        "edit.html",
        status=200 if fault is None else fault.status,
        fields=fields,
        card=None if item is None else card(item),
        sources=SOURCES,
        fault=fault,
    )
