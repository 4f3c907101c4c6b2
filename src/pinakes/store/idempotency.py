"""Idempotency keys: a request to make something, sent again, makes nothing again.

Whoever did not get the answer to a POST sends it once more with the same `Idempotency-Key`. The key is
taken in the transaction that makes the item, so there is never a key without its item, nor an item whose
key was lost; two requests at once wait for each other. Keys belong to their user and are kept `hours`;
each request that takes one drops up to twenty that are older, so the table holds what came in that time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pinakes.errors import InvalidParameter, KeyReused
from pinakes.query.sources import SOURCE_BY_CODE, Source
from pinakes.store.pool import Connection
from pinakes.store.queries import load

MAX_CHARS = 200
ALLOWED = f"1 to {MAX_CHARS} printable ASCII characters"

_KEY = re.compile(rf"[\x21-\x7e]{{1,{MAX_CHARS}}}")
_SQL = load("idempotency")


@dataclass(frozen=True, slots=True)
class Key:
    """A user's key, with a digest of what they sent under it."""

    user_id: int
    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, user_id: int, key: str, source: Source, sent: bytes) -> Key:
        """The key for `sent` to `source`.

        Raises:
            InvalidParameter: it is no key.
        """
        if _KEY.fullmatch(key) is None:
            raise InvalidParameter("The Idempotency-Key is no key.", parameter="Idempotency-Key", allowed=ALLOWED)
        digest = hashlib.blake2b(sent, digest_size=16, person=f"source {source.code}".encode())
        return cls(user_id, key, digest.digest())


async def claim(connection: Connection, key: Key, hours: int) -> tuple[Source, int] | None:
    """Takes `key` in this transaction; or what it has made already.

    Raises:
        KeyReused: it was taken for something else.
    """
    await connection.execute(_SQL["forget"], hours)
    if await connection.fetchval(_SQL["claim"], key.user_id, key.key, key.fingerprint):
        return None
    row = await connection.fetchrow(_SQL["claimed"], key.user_id, key.key)
    if row is None or row["content_id"] is None or row["fingerprint"] != key.fingerprint:
        raise KeyReused(f"The key {key.key[:50]!r} was used for another request.")
    return SOURCE_BY_CODE[row["source_type"]], row["content_id"]


async def made(connection: Connection, key: Key, source: Source, item_id: int) -> None:
    """Notes what the request with `key` made."""
    await connection.execute(_SQL["made"], key.user_id, key.key, source.code, item_id)
