"""Cards: items as pages show them. What a stored item says is text, and an address only if it is a harmless one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from pinakes.query.fieldset import REQUIRED
from pinakes.query.item import Item, Unread
from pinakes.query.sources import SOURCE_BY_CODE
from pinakes.web import art

UNTITLED = "Untitled"

FIELDS = (*REQUIRED, "path_thumb", "is_private", "quality_score", "tags")
"""What an item must be read with to be shown as a card."""


@dataclass(frozen=True, slots=True)
class Card:
    """An item in a grid. `photo`: its own picture, if it names one; `drawn`: the one that is drawn for it."""

    key: str
    path: str
    title: str
    photo: str | None
    drawn: str
    content_type: str
    creator: str
    private: bool
    score: float | None
    described: str


def card(item: Item) -> Card:
    """How `item` is shown."""
    source = SOURCE_BY_CODE[item.source].name
    return Card(
        key=f"{source}-{item.id}",
        path=path(item),
        title=item.title or UNTITLED,
        photo=photo(item),
        drawn=art.address(item.source, item.id, (item.title, *(tag.name for tag in item.tags))),
        content_type=item.content_type,
        creator=item.creator_username,
        private=item.is_private,
        score=item.quality_score,
        described=", ".join(tag.name for tag in item.tags[:6]),
    )


def path(item: Item | Unread) -> str:
    """The item's page."""
    return f"/{SOURCE_BY_CODE[item.source].name}/{item.id}"


def photo(item: Item) -> str | None:
    """The address of the item's own picture, where that is on the web or on this site; anything else is ignored."""
    address = (item.path_thumb or "").strip()
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme in {"http", "https"} and parts.netloc:
        return address
    on_this_site = not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    return address if on_this_site and not address.startswith("//") else None
