"""The OpenAPI page taken at its word: Schemathesis asks what it allows and what it does not, of a real server.

No answer may be an error of ours, and each must be what the page says of it: status, content type, shape.
`FUZZ_EXAMPLES=N make test` asks N questions of each operation instead of a few.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.application import ADA, Gallery
from api.serving import serve
from pinakes.api.auth import make_token
from pinakes.index.build import build
from pinakes.settings import Settings
from pinakes.store.pool import Pool
from pinakes.worker.loop import running as worker

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))


@pytest_asyncio.fixture
async def url(settings: Settings, gallery: Gallery, pool: Pool) -> AsyncIterator[str]:
    """A server with a worker beside it, so that every engine is ready."""
    patient = settings.model_copy(update={"wait_for_seconds": 0.1, "statement_timeout_ms": 60_000})
    async with worker(patient):
        async with asyncio.timeout(120):
            while await pool.fetchval("SELECT policy FROM epoch") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await build(patient.database_url or "", processes=0)
        async with serve(patient) as (_, address, _):
            yield address


async def test_the_server_keeps_to_its_description_whatever_is_asked(url: str, settings: Settings) -> None:
    token = make_token(settings, ADA, "ada", ["content:write", "content:admin", "admin"], 3600)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url) as client:
        schema = schemathesis.openapi.from_dict((await client.get("/openapi.json")).json())
    schema.config.update(base_url=url)

    def ask_all() -> int:
        asked = 0
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result.err()
            operation = result.ok()

            @hypothesis_settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize="FUZZ_EXAMPLES" not in os.environ,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                nonlocal asked
                asked += 1
                response = case.call(headers=headers)
                case.validate_response(response, checks=CHECKS)

            try:
                ask()
            except (FailureGroup, Failure) as failure:
                failures.append(f"{operation.label}: {failure}")
        return asked

    failures: list[str] = []
    assert await asyncio.to_thread(ask_all) > 100
    assert not failures, "\n".join(failures)
