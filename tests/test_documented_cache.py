"""The pages say how the read model is refreshed and how old a cached answer is, and every example of theirs works."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from api.application import EVE, Gallery, Tokens
from api.conftest import gallery, token
from api.serving import serve
from conftest import ROOT
from pinakes.address import RedisAddress
from pinakes.api.metrics import FAMILIES
from pinakes.errors import PinakesError
from pinakes.settings import Settings, hyphenated
from pinakes.store.pool import Pool

__all__ = ["gallery", "token"]

SECTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "docs/db.md": (
        (
            "When the read model is refreshed, and how old it is",
            "How old a cached answer is",
            "What ends a cached answer",
        ),
        ("refresh-interval-seconds", "_cache_age_seconds", "pinakes:entry:", "pinakes cache stats", "cache-strategy"),
    ),
    "docs/api.md": (("Cached answers",), ("_from_cache", "_cache_age_seconds", "use_cache=false", "no-store")),
    "docs/configuration.md": (
        ("Redis, times to live and refreshes",),
        ("redis-url", "redis-eviction-policy", "cache-ttl-seconds", "view-policy", "max-staleness-seconds"),
    ),
}


def section(page: str, title: str) -> str:
    """The text below a heading; fails where there is none."""
    text = (ROOT / page).read_text("utf-8")
    assert f"\n## {title}\n" in text, f"{page} lacks the section {title!r}"
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def examples(kind: str) -> list[tuple[str, str]]:
    """(where, text) of every example of a kind in these sections."""
    found = []
    for page, (titles, _) in SECTIONS.items():
        for title in titles:
            blocks = re.findall(rf"```{kind}\n(.*?)```", section(page, title), re.DOTALL)
            found += [(f"{page}: {title}", block) for block in blocks]
    return found


@pytest.mark.parametrize("page", SECTIONS)
def test_the_pages_speak_of_schedule_age_and_invalidation(page: str) -> None:
    titles, words = SECTIONS[page]
    text = "".join(section(page, title) for title in titles)
    assert [word for word in words if word not in text] == []


async def test_every_example_of_these_sections_works(
    pool: Pool, settings: Settings, gallery: Gallery, token: Tokens
) -> None:
    for tool in ("curl", "redis-cli"):
        if shutil.which(tool) is None:
            pytest.skip(f"SKIPPED FOR LACK OF {tool}: the examples use it")
    patient = settings.model_copy(update={"cache_timeout_ms": 1000, "cache_budget_ms": 4000})
    async with serve(patient, 0, "--worker") as (_, url, _):
        async with asyncio.timeout(120):
            while await pool.fetchval("SELECT policy IS NULL OR EXISTS (SELECT FROM dirty) FROM epoch"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        statements = [each for _, block in examples("sql") for each in block.split(";\n") if each.strip()]
        assert len(statements) >= 3
        for statement in statements:
            await pool.fetch(statement)
        environment = {
            **os.environ,
            **patient.environment(),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PINAKES_REDIS_URL": patient.redis_url or "",
            "ADMIN_TOKEN": token(EVE, "admin")["authorization"].removeprefix("Bearer "),
        }
        redis = RedisAddress.parse(patient.redis_url or "")
        blocks = examples("sh")
        assert len(blocks) >= 7
        for where, block in blocks:
            script = "set -euo pipefail\n" + block.replace("http://127.0.0.1:8000", url)
            # The Redis of the tests is reached through a socket, which redis-cli takes in another way.
            script = script.replace('-u "$PINAKES_REDIS_URL"', f"-s {redis.path} -n {redis.db}")
            process = await asyncio.create_subprocess_exec(
                "bash", "-c", script, env=environment,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said = (await process.communicate())[0].decode()
            assert process.returncode == 0, (where, block, said)
            assert said.strip(), (where, block)
            assert "urn:pinakes:error" not in said, (where, said)


def test_every_metric_setting_and_error_that_a_page_names_exists() -> None:
    """In all pages: `pinakes_*`, PINAKES_* and PKnnn."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    metrics = {family.name + ending for family in FAMILIES for ending in endings[family.kind]}
    listed = {family.name for family in FAMILIES}
    variables = {f"PINAKES_{name.upper()}" for name in Settings.model_fields} | {"PINAKES_CONFIG"}
    kinds = [PinakesError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.code for kind in kinds}
    wrong = []
    for page in [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "ARCHITECTURE.md"]:
        text = page.read_text("utf-8")
        for name in re.findall(r"\bpinakes_[a-z_]+", text):
            # The reference lists families; a function of the schema, or the beginning of several names, is no metric.
            known = name in metrics or (page.name == "metrics.md" and name in listed) or f"{name}*" in text
            if not known and name not in NO_METRICS and f"{name}(" not in text:
                wrong.append((page.name, name))
        wrong += [
            (page.name, name) for name in re.findall(r"\bPINAKES_[A-Z_]+", text) if name not in variables | OTHERS
        ]
        wrong += [(page.name, code) for code in re.findall(r"\bPK\d{3}\b", text) if code not in codes]
    assert sorted(set(wrong)) == []
    assert hyphenated("view_policy") == "view-policy"


NO_METRICS = {"pinakes_app", "pinakes_reader", "pinakes_web", "pinakes_epoch"}
OTHERS = {"PINAKES_TOKEN", "PINAKES_DRAIN_MARK"}
