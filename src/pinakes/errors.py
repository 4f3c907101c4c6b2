"""Every error Pinakes raises on purpose: one tree, each leaf with a stable code, an HTTP status and a hint.

    PinakesError
    ├── QueryError          400   the question cannot be understood
    │   ├── UnknownParameter, InvalidParameter, InvalidCursor, CursorMismatch
    │   ├── QuerySyntax           the text of `q` does not fit its grammar
    │   └── TooManyTerms    422   understood, but over a stated ceiling
    ├── ContentError              what was sent to be stored cannot be
    │   ├── InvalidContent  422
    │   ├── NotFound        404
    │   ├── Conflict        409   a unique key is taken
    │   ├── StaleVersion    412   somebody else changed it first
    │   └── KeyReused       422   an Idempotency-Key with another request
    ├── AccessError
    │   ├── NotAuthenticated 401
    │   ├── Forbidden       403
    │   └── ForeignForm     403   a form that no page of ours gave this visitor
    ├── StoreError                the databases
    │   ├── StoreUnavailable 503
    │   ├── StatementTimeout 504
    │   ├── SchemaMismatch  503
    │   ├── NotReadable     500   a row that breaks an invariant
    │   ├── ReadModelNotReady 503 missing, being exchanged, or too old
    │   ├── UnfitDatabase   503   its server, encoding, role or settings cannot hold a gallery
    │   ├── UnfitRedis      503   too old for the cache
    │   ├── MissingRow      503   a table has lost the one row it must have
    │   └── CacheUnusable   503
    ├── RequestError        400   HTTP that no route can take
    │   ├── NoSuchRoute     404
    │   ├── MethodNotAllowed 405
    │   ├── BodyTooLarge    413
    │   ├── InvalidJson     400
    │   ├── WrongMediaType  415
    │   ├── Overloaded      503   more at once than can be served
    │   ├── TooManyRequests 429   more from one caller than the settings allow
    │   └── BodyTooSlow     408
    ├── EmbeddedError             the servers Pinakes runs itself
    └── SettingsError, ImportFailed, ImportIncomplete

Codes are `PKgnn`: group digit, then number; a retired code is never used again.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PinakesError(Exception):
    """Something went wrong inside Pinakes."""

    code: ClassVar[str] = "PK000"
    status: ClassVar[int] = 500
    hint: ClassVar[str] = "Look at the server log; please report it with the request that caused it."

    def __init__(self, detail: str = "", *, hint: str | None = None, **extra: Any) -> None:
        """`detail` says what happened this time; `extra` becomes members of the problem document."""
        self.detail = detail or self.title()
        self.advice = hint if hint is not None else self.hint
        self.extra = extra
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """The class docstring's first line: what this kind of error means."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0]


class QueryError(PinakesError):
    """The question cannot be understood."""

    code = "PK100"
    status = 400
    hint = "See docs/api.md for the parameters of this route."


class UnknownParameter(QueryError):
    """This route has no such parameter."""

    code = "PK101"


class InvalidParameter(QueryError):
    """A parameter's value is not allowed."""

    code = "PK102"


class InvalidCursor(QueryError):
    """The cursor is damaged, forged, or from another installation."""

    code = "PK103"
    hint = "Start again without a cursor; cursors are opaque and must be passed back unchanged."


class CursorMismatch(InvalidCursor):
    """The cursor belongs to another query."""

    code = "PK104"
    hint = "A cursor continues the query it came from: same filters, same sort, same viewer."


class TooManyTerms(QueryError):
    """The query is over a stated ceiling."""

    code = "PK105"
    status = 422
    hint = "Ask with fewer or shorter terms; docs/configuration.md names the ceilings."


class QuerySyntax(QueryError):
    """The text of a search cannot be understood."""

    code = "PK106"
    hint = "docs/search.md has the grammar and examples."


class ContentError(PinakesError):
    """The content cannot be stored or found."""

    code = "PK200"
    status = 422
    hint = "See docs/api.md for the fields of an item."


class InvalidContent(ContentError):
    """A field of the item is missing, of the wrong type, or out of bounds."""

    code = "PK201"


class NotFound(ContentError):
    """There is no such item, or it is not visible to you."""

    code = "PK202"
    status = 404
    hint = "Check source type and id; private items are visible to their creator only."


class Conflict(ContentError):
    """The item collides with one that exists."""

    code = "PK203"
    status = 409
    hint = "`external_id` is unique within a source."


class StaleVersion(ContentError):
    """Somebody else changed the item since you read it."""

    code = "PK204"
    status = 412
    hint = "Read the item again, apply your change to it, and send its new ETag."


class KeyReused(ContentError):
    """The Idempotency-Key belongs to another request."""

    code = "PK205"
    hint = "Send a new key with each new request, and the same one only when you send the same request again."


class AccessError(PinakesError):
    """You may not do this."""

    code = "PK300"
    status = 403


class NotAuthenticated(AccessError):
    """The bearer token is missing, malformed, expired or not ours."""

    code = "PK301"
    status = 401
    hint = "Send `Authorization: Bearer <token>`; `pinakes token` makes one for an embedded setup."


class Forbidden(AccessError):
    """Your token does not allow this."""

    code = "PK302"
    status = 403
    hint = "Writing needs scope content:write and ownership, or content:admin; what administrators see needs admin."


class ForeignForm(AccessError):
    """The form was not sent from a page of this site."""

    code = "PK303"
    hint = "Open the page again and send its form from there; cookies must be allowed."


class StoreError(PinakesError):
    """The database could not answer."""

    code = "PK400"
    status = 503
    hint = "Try again; `/readyz` says which server is in trouble."


class StoreUnavailable(StoreError):
    """The database cannot be reached or has no connection to spare."""

    code = "PK401"


class StatementTimeout(StoreError):
    """The database needed longer for this request than `statement-timeout-ms`."""

    code = "PK402"
    status = 504
    hint = "Narrow the query, or raise statement-timeout-ms."


class SchemaMismatch(StoreError):
    """The database's schema is not the one this version of Pinakes needs."""

    code = "PK403"
    hint = "Run `pinakes migrate`."


class NotReadable(StoreError):
    """A stored row breaks an invariant Pinakes relies on."""

    code = "PK404"
    status = 500
    hint = "Run `pinakes migrate`, then repair the row named here."


class ReadModelNotReady(StoreError):
    """The read model cannot answer now: it is missing, being exchanged, or too old."""

    code = "PK405"
    hint = "Run `pinakes worker`, or ask with engine=auto; `pinakes view status` says more."


class UnfitDatabase(StoreError):
    """A gallery cannot be kept in this database as it is set up, or not by this role."""

    code = "PK504"
    hint = "docs/db.md says what the database and its roles need."


class UnfitRedis(StoreError):
    """This Redis is too old for the result cache."""

    code = "PK506"
    hint = "Upgrade it to 6.2 or newer, or set cache-strategy to off."


class MissingRow(StoreError):
    """A table has lost a row that it must always have."""

    code = "PK505"
    hint = "Run `pinakes check --part schema --repair` as the owner of the tables, then `pinakes worker`."


class CacheUnusable(StoreError):
    """The result cache cannot do this now."""

    code = "PK406"
    hint = "Answers do not need the cache; `/readyz` and GET /api/v1/stats/cache say what is wrong with it."


class EmbeddedError(PinakesError):
    """An embedded server cannot be started or stopped."""

    code = "PK500"
    hint = "The servers' logs are in the data directory, under `log/`."


class DemoRunning(EmbeddedError):
    """A demo already serves this data directory."""

    code = "PK501"
    hint = "Open the address given, or choose another --data-dir."


class PortBusy(EmbeddedError):
    """Another program listens on this port."""

    code = "PK502"
    hint = "Choose another with --port, or --port 0 for any free one."


class DiskFull(EmbeddedError):
    """There is not enough disk space left."""

    code = "PK503"
    status = 507
    hint = "Free some space or choose a --data-dir on another disk."


class SettingsError(PinakesError):
    """A setting is missing, misspelled or out of range."""

    code = "PK600"
    hint = "docs/configuration.md lists every setting."


class Unreachable(PinakesError):
    """The server that was to be measured does not answer."""

    code = "PK602"
    status = 502
    hint = "Start it, or give its address: `pinakes load server http://127.0.0.1:8000`."


class ImportFailed(PinakesError):
    """The import cannot go on."""

    code = "PK601"
    hint = "What was imported so far is kept; run the same command again to go on."


class ImportIncomplete(PinakesError):
    """Lines were refused, or there was nothing to import."""

    code = "PK206"
    status = 422
    hint = "The other lines are imported. Mend the refused ones and import again; equal items are left alone."


class RequestError(PinakesError):
    """The request cannot be taken by any route."""

    code = "PK700"
    status = 400
    hint = "See docs/api.md for the routes."


class NoSuchRoute(RequestError):
    """There is nothing at this address."""

    code = "PK701"
    status = 404


class MethodNotAllowed(RequestError):
    """This address does not take this method."""

    code = "PK702"
    status = 405
    hint = "The Allow header lists the methods of this address."


class BodyTooLarge(RequestError):
    """The request body is longer than `max-body-bytes`."""

    code = "PK703"
    status = 413
    hint = "Send less at a time; `pinakes import` reads files of any length."


class InvalidJson(RequestError):
    """The request body is not a JSON object."""

    code = "PK704"
    hint = "Send one JSON object, encoded in UTF-8."


class Overloaded(RequestError):
    """More requests come at once than can be served in time."""

    code = "PK705"
    status = 503
    hint = "Try again after the seconds in Retry-After."


class TooManyRequests(RequestError):
    """You ask for more work than `rate-limit-per-second` allows."""

    code = "PK706"
    status = 429
    hint = "Wait for the seconds in Retry-After; what is answered from the cache is given all the same."


class BodyTooSlow(RequestError):
    """The request body did not come within `body-timeout-seconds`, or too slowly."""

    code = "PK707"
    status = 408
    hint = "Send the body in one go."


class Draining(RequestError):
    """The service is about to end and wants no new requests; those that come are still answered."""

    code = "PK708"
    status = 503
    hint = "Send new requests to another one; see `drain-delay-seconds` in docs/operations.md."


class BodyUnreadable(RequestError):
    """The request body cannot be read to its end."""

    code = "PK710"
    hint = "Send as many bytes as Content-Length says, or well-formed chunks, of some kilobytes each."


class WrongMediaType(RequestError):
    """The request body is not of the type this address takes."""

    code = "PK709"
    status = 415
    hint = "Send the body as `allowed` says, and say so in Content-Type."
