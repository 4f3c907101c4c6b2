"""What is checked in parts: what a part finds, and how it goes on from where it was left.

A part yields steps. A step is one range, checked in a transaction of its own that lasts seconds at
most: it says where the next one begins (a JSON value), how far the part is, and what was wrong.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.store.queries import load

SQL = load("audit", "pinakes.audit.sql")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: which part found it, where, and what. `key` is for the repair."""

    part: str
    where: str
    what: str
    key: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """One range checked. `next` is where to go on; `done` of `total` says how far, in whatever the part counts."""

    next: Any
    done: int
    total: int
    findings: tuple[Finding, ...] = ()
    checked: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked: one installation. `service` has its cache, where it has one."""

    settings: Settings
    pool: Pool
    service: ContentService
    full: bool
    rng: random.Random


class Skipped(Exception):
    """There is nothing to check here, and why."""


Steps: TypeAlias = Callable[[Subject, Any], AsyncIterator[Step]]
Repair: TypeAlias = Callable[[Subject, list[Finding]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Part:
    """One promise: its name, what holds, how it is checked and, where it can be, put right.

    `steps` begins at the value it is given, None at the beginning, and raises Skipped where it does not apply.
    """

    name: str
    holds: str
    steps: Steps
    repair: Repair | None = None
