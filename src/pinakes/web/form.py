"""Forms: what a page's form sent, read and judged before anything is done with it."""

from __future__ import annotations

import csv
from urllib.parse import parse_qsl

from starlette.requests import Request

from pinakes.api.body import received
from pinakes.api.state import state_of
from pinakes.errors import ForeignForm, InvalidContent
from pinakes.web.session import require_own_form

_MOST_FIELDS = 64
_MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read(request: Request) -> dict[str, str]:
    """The fields of a form that one of our pages gave this visitor; the last value of a name counts.

    Raises:
        ForeignForm: it is not.
        BodyTooLarge, BodyTooSlow, BodyUnreadable, WrongMediaType, Overloaded: as `api.body.received`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _MEDIA_TYPE:
        raise ForeignForm("A form of this site is sent in another encoding.")
    body, _ = await received(request, state_of(request).settings.max_body_bytes)
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise ForeignForm("The form cannot be read.") from error
    require_own_form(request, fields)
    return fields


def names(text: str) -> tuple[str, ...]:
    """Names of tags as typed: a line or a comma between two; one with a comma in it stands in quotes.

    Raises:
        InvalidContent: they cannot be read, or one is longer than the reader's limit of 128 kB.
    """
    try:
        rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise InvalidContent(
            "The names of the tags cannot be read.",
            field="tags",
            allowed="names of 1 to 255 characters, with commas or lines between",
        ) from error
    return tuple(dict.fromkeys(name.strip() for row in rows for name in row if name.strip()))


def typed(given: tuple[str, ...]) -> str:
    """Names of tags as `names` reads them."""
    return ", ".join(f'"{name.replace(chr(34), 2 * chr(34))}"' if {",", '"'} & set(name) else name for name in given)


def local(address: str) -> str:
    """`address` where it leads to a page of ours, else the gallery."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if inside and address.isprintable() and "\\" not in address else "/"
