"""Secrets stay where they are: not in the log at its loudest, not in answers, not in what a process shows of itself."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from api.application import ADA, Gallery, Tokens, running
from faults.proxy import Proxy, postgres_socket, through
from pinakes.errors import SettingsError
from pinakes.settings import Settings, load_settings

U = "/api/v1/content/unified"
PASSWORDS = ("database-password-4711", "redis-password-4711")


async def test_no_secret_and_no_token_is_logged_or_answered(
    settings: Settings, gallery: Gallery, short_tmp: Path, token: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    """Good and bad tokens, refused writes, a database that goes away, a Redis that is not there."""
    caplog.set_level(logging.DEBUG)
    folder = short_tmp / f"proxy-{os.urandom(4).hex()}"
    folder.mkdir()
    async with Proxy(postgres_socket(settings.database_url or ""), folder / ".s.PGSQL.5432") as proxy:
        url = through(settings.database_url or "", proxy).replace("pinakes@", f"pinakes:{PASSWORDS[0]}@")
        changed = {"database_url": url, "redis_url": f"redis://:{PASSWORDS[1]}@127.0.0.1:1/1", "log_level": "debug"}
        whole = settings.model_copy(update=changed)
        good = token(ADA, "content:write")["authorization"]
        forged = good[:-6] + "AAAAAA"
        answers = []
        async with running(whole) as client:
            for authorization in (good, forged, "Bearer x.y.z", "Basic dXNlcjpwYXNzd29yZC00NzEx"):
                headers = {"authorization": authorization}
                answers += [await client.get(path, headers=headers) for path in (U, "/readyz", "/api/v1/stats/cache")]
                answers.append(await client.post("/api/v1/content/auto", content=b"{", headers=headers))
            await proxy.refuse()
            answers += [await client.get(path, headers={"authorization": good}) for path in (U, "/readyz", "/metrics")]
    assert {200, 401, 400, 503} <= {answer.status_code for answer in answers}
    told = caplog.text + repr(whole) + "".join(str(answer.headers) + answer.text for answer in answers)
    assert "cannot be reached" in caplog.text
    tokens = [text.removeprefix("Bearer ") for text in (good, forged)]
    secrets = (*PASSWORDS, *tokens, "dXNlcjpwYXNzd29yZC00NzEx", whole.jwt_secret, whole.cursor_secret)
    assert not [secret for secret in secrets if secret and secret in told]


def test_a_refused_setting_is_named_and_its_value_is_not() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(jwt_secret="short-4711", database_url="mysql://user:password-4711@host/name")
    assert "jwt-secret" in str(refused.value)
    assert "database-url" in str(refused.value)
    assert "4711" not in str(refused.value) + str(refused.value.extra)
