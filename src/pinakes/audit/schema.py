"""The schema: the rows that must stand there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pinakes.audit.part import Finding, Step, Subject
from pinakes.store.pool import translate_errors
from pinakes.store.standing import put_back, wrong_rows


async def schema(subject: Subject, _: Any) -> AsyncIterator[Step]:
    """The epoch's row and those of the sources."""
    with translate_errors():
        wrong = await wrong_rows(subject.pool)
    found = tuple(Finding("schema", table, said) for table, said in wrong.items())
    yield Step(1, 1, 1, found, 2)


async def mend(subject: Subject, _: list[Finding]) -> str:
    """Puts lost rows back."""
    with translate_errors():
        async with subject.pool.acquire() as connection:
            await put_back(connection)
    return "put the rows back; a worker builds the read model anew"
