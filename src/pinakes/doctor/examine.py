"""Examining an installation: every check, each by itself, so that one that fails hides no other.

Checks read the catalogue, some statistics and a few hundred rows; all together take a second at any
size. None changes anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from pinakes.doctor import gallery, postgres, redis
from pinakes.doctor.finding import LEVELS, Diagnosis, Finding
from pinakes.errors import PinakesError, SchemaMismatch, StoreUnavailable
from pinakes.settings import Settings
from pinakes.store.pool import Connection, Pool, translate_errors

Check: TypeAlias = Callable[[Connection, Settings], Awaitable[list[Finding]]]

CHECKS: dict[str, Check] = {
    "schema": gallery.schema,
    "server": postgres.server,
    "settings": postgres.settings,
    "declared": postgres.declared,
    "indexes": postgres.indexes,
    "tables": postgres.tables,
    "fastupdate": postgres.fastupdate,
    "held back": postgres.held_back,
    "read model": gallery.read_model,
    "bitmap index": gallery.bitmap_index,
    "drift": gallery.drift,
    "answers": gallery.answers,
    "redis": redis.redis,
}


async def examine(pool: Pool, settings: Settings) -> Diagnosis:
    """What every check found. A schema of another version is a finding, and ends the examination.

    Raises:
        StoreUnavailable: the database cannot be asked at all.
    """
    findings: list[Finding] = []
    skipped: list[tuple[str, str]] = []
    made = 0
    for name, check in CHECKS.items():
        try:
            with translate_errors():
                async with pool.acquire() as connection:
                    findings += await check(connection, settings)
        except StoreUnavailable:
            raise
        except SchemaMismatch as error:
            findings.append(Finding(name, "problem", error.detail, error.advice))
            if name == "schema":
                skipped += [(other, "needs the schema of this version") for other in CHECKS if other != name]
                break
        except PinakesError as error:
            skipped.append((name, error.detail))
        except asyncpg.InsufficientPrivilegeError as error:
            skipped.append((name, str(error)))
        else:
            made += 1
    findings.sort(key=lambda finding: LEVELS.index(finding.level))
    return Diagnosis(tuple(findings), made, tuple(skipped))
