"""The meter: who pays for the work of the database and the engines, and may they have more of it.

Whoever takes a request says whose it is (`charged_to`); each read (`store.pool`) then asks before it waits for a
connection (`admit`) and counts for as long as it has one (`running`): statements, and what is evaluated
beside them. So whatever makes an engine work counts, whichever route or page it is behind, and what is
answered from memory or from the cache does not. Without an account nobody pays: commands, the worker, what a
process does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Account(Protocol):
    """What is charged for one request."""

    def admit(self) -> None:
        """Lets more work be done. Raises: TooManyRequests."""

    def begin(self) -> None:
        """Work begins, beside any that is going on."""

    def end(self) -> None:
        """It ends."""


_current: ContextVar[Account | None] = ContextVar("account", default=None)


@contextmanager
def charged_to(account: Account | None) -> Iterator[None]:
    """What is read or begun in the context is charged to `account`; None: to nobody."""
    token = _current.set(account)
    try:
        yield
    finally:
        _current.reset(token)


def admit() -> None:
    """Returns where more work may be done.

    Raises:
        TooManyRequests: the caller had too much of it.
    """
    account = _current.get()
    if account is not None:
        account.admit()


@contextmanager
def running() -> Iterator[None]:
    """Charges for as long as the context lasts."""
    account = _current.get()
    if account is None:
        yield
        return
    account.begin()
    try:
        yield
    finally:
        account.end()
