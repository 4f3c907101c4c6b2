"""Deadlines: how long the database may work for one request, all statements and all waiting together.

A limit for each statement is none for a request of a hundred statements. Whoever takes a request begins it
`within` so many milliseconds; they run from the moment the request first asks for a connection, so that a body
that is slow to come, or a stored answer, costs nothing of it. `snapshot`, `direct` and `writing` (`store.pool`)
then end when they are over: what is waited for (a connection, a lock, a statement, a turn to evaluate) is
cancelled, in PostgreSQL too.

Without a `within` there is no deadline: commands, the worker, builders and imports. What a request begins but
does not wait for runs `unbound`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pinakes.errors import StatementTimeout


@dataclass(slots=True)
class _Deadline:
    """`until`: by the clock of the event loop; None until the first connection is asked for."""

    limit_s: float
    until: float | None = None


_current: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(limit_ms: int) -> Iterator[None]:
    """What is done in the context has `limit_ms` in all, from its first use of the database on."""
    token = _current.set(_Deadline(limit_ms / 1000))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def unbound() -> Iterator[None]:
    """What is done or begun in the context has no deadline."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def left_ms(most: int) -> int:
    """Milliseconds a statement begun now may take: `most`, or what is left of the deadline."""
    until = _until()
    return most if until is None else max(min(most, int((until - _now()) * 1000)), 1)


@asynccontextmanager
async def kept() -> AsyncIterator[None]:
    """Ends the context when the deadline is over.

    Raises:
        StatementTimeout: it is.
    """
    until = _until()
    if until is None:
        yield
        return
    limit = asyncio.timeout_at(until)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise StatementTimeout from error


def _until() -> float | None:
    deadline = _current.get()
    if deadline is None:
        return None
    if deadline.until is None:
        deadline.until = _now() + deadline.limit_s
    return deadline.until


def _now() -> float:
    return asyncio.get_running_loop().time()
