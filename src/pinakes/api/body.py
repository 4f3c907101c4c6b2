"""Bodies of requests: JSON objects, and questions too long for an address.

A body is read up to `max-body-bytes` and for `body-timeout-seconds`. Of a longer one some more is read and thrown
away, because who is still sending when the answer comes and the connection ends sees a broken connection.

A question may be asked by POST as a form (`application/x-www-form-urlencoded`): its fields are the parameters
of the same route's GET, and count together with those in the address. The web server refuses an address of
65,535 bytes by itself; a form is as long as `max-query-bytes` allows, and what is wrong with a longer one is told.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request

from pinakes.api import params
from pinakes.api.parameters import Parameter
from pinakes.api.state import state_of
from pinakes.errors import BodyTooLarge, BodyTooSlow, InvalidJson, WrongMediaType
from pinakes.store import stored_json

FORM = "application/x-www-form-urlencoded"
_THROWN_AWAY = 16 << 20


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        BodyTooLarge, BodyTooSlow: it is over a bound of the settings.
        InvalidJson: it is no JSON object.
    """
    try:
        body = (await _read(request, state_of(request).settings.max_body_bytes))[0]
        value = stored_json.exact(body, orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise InvalidJson(f"The body cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidJson("The body is JSON, but no object.")
    return value


async def read_form(request: Request, table: tuple[Parameter, ...]) -> bytes:
    """The form in the body, which may have the parameters of `table`, still encoded; empty where there is no body.

    Anybody may ask, so no more of it is held than a question may be long.

    Raises:
        BodyTooLarge, BodyTooSlow: it is over a bound of the settings.
        WrongMediaType: it is something else than a form.
        TooManyTerms: it is longer than a question may be.
    """
    settings = state_of(request).settings
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form, length = await _read(request, settings.max_query_bytes)
    if kind != FORM and (kind or form):
        raise WrongMediaType(f"A question in a body is a form, not {kind[:100] or 'without a type'}.", allowed=FORM)
    if length > len(form):
        raise params.too_long(form, length, table, settings)
    return form


async def _read(request: Request, keep: int) -> tuple[bytes, int]:
    """The first `keep` bytes of the body, and how long it is."""
    settings = state_of(request).settings
    most = settings.max_body_bytes
    body, length = bytearray(), 0
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            async for chunk in request.stream():
                length += len(chunk)
                if len(body) < keep:
                    body += chunk[: keep - len(body)]
                if length > most + _THROWN_AWAY:
                    break
    except TimeoutError as error:
        raise BodyTooSlow from error
    if length > most:
        raise BodyTooLarge(allowed=f"at most {most:,} bytes")
    return bytes(body), length
