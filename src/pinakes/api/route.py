"""A route: one method of one path, what answers it, and its description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from pinakes import errors
from pinakes.api.body import read_form
from pinakes.api.openapi import operation
from pinakes.api.parameters import Parameter
from pinakes.api.state import state_of

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

READING = (
    errors.UnknownParameter,
    errors.InvalidParameter,
    errors.NotAuthenticated,
    errors.StoreUnavailable,
    errors.StatementTimeout,
    errors.Overloaded,
    errors.TooManyRequests,
)
BODY = (errors.InvalidJson, errors.BodyTooLarge, errors.BodyTooSlow, errors.BodyUnreadable, errors.WrongMediaType)
_FORM = (errors.BodyTooLarge, errors.BodyTooSlow, errors.BodyUnreadable, errors.WrongMediaType)
_SEARCHING = (*READING, errors.QuerySyntax, errors.TooManyTerms)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method of one path."""

    path: str
    method: str
    handler: Handler
    described: dict[str, Any]


def question(
    path: str,
    handler: Handler,
    summary: str,
    answer: str,
    query: tuple[Parameter, ...],
    *,
    refusals: Sequence[type[errors.PinakesError]] = (),
    headers: Sequence[str] = (),
) -> tuple[ApiRoute, ...]:
    """A question about the current filter: in the address of a GET, or in the form of a POST."""
    refused: tuple[type[errors.PinakesError], ...] = (*_SEARCHING, *refusals)
    get = operation(summary, answer, query=query, headers=headers, refusals=refused)
    post = operation(f"{summary} The question is a form.", answer, form=query, refusals=(*refused, *_FORM))
    return (
        ApiRoute(path, "GET", handler, get),
        ApiRoute(path, "POST", _in_form(handler, query), post),
    )


def _in_form(handler: Handler, table: tuple[Parameter, ...]) -> Handler:
    """What answers `handler`'s questions, of the parameters of `table`, when they are asked in a form."""

    async def asked(request: Request) -> Response:
        form = await read_form(request, table)
        await state_of(request).parser.prepare(form)
        address: bytes = request.scope["query_string"]
        # As a GET, but for `If-None-Match`: 304 is no answer to a POST.
        headers = [pair for pair in request.scope["headers"] if pair[0] != b"if-none-match"]
        parts = {"query_string": b"&".join(filter(None, (address, form))), "headers": headers}
        return await handler(Request({**request.scope, **parts}, request.receive))

    return asked
