"""docs/search.md is true: its examples are asked of the real collections, its errors of the parser."""

from __future__ import annotations

import gzip
import io
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pinakes.errors import QuerySyntax
from pinakes.query.aspect import Aspect, FacetsAsked, HistogramAsked, RelatedAsked
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.language.parser import parse
from pinakes.service import ContentService
from pinakes.settings import Settings
from pinakes.store import tag_csv
from pinakes.store.pool import Pool
from pinakes.store.transfer.importer import import_file

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
PICTURES = 30_000


def _section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _rows(title: str) -> list[tuple[str, ...]]:
    rows = re.findall(r"(?m)^\| `(.+?)` \| ([0-9,]+) \| `(.*?)` \|$", _section(title).replace("\\|", "¦"))
    return [tuple(cell.replace("¦", "|") for cell in row) for row in rows]


@pytest_asyncio.fixture
async def service(pool: Pool, settings: Settings, shared_data: Path, tmp_path: Path) -> ContentService:
    """The collections of the page, with its aliases and hierarchy."""
    await import_file(pool, shared_data / "tate.jsonl.gz")
    pictures = tmp_path / "pictures.jsonl"
    with gzip.open(shared_data / "british-library.jsonl.gz", "rt", encoding="utf-8") as source:
        pictures.write_text("".join(islice(source, PICTURES)), encoding="utf-8")
    await import_file(pool, pictures)
    async with pool.acquire() as conn, conn.transaction():
        for table in re.findall(r"```csv\n(.*?)```", _section("Examples"), re.DOTALL):
            await tag_csv.read(conn, io.StringIO(table))
        await conn.execute("ANALYZE")
    # However long it takes: examples are about what is right.
    return ContentService(pool, settings.model_copy(update={"count_budget_ms": 60_000}))


async def test_the_examples_are_true(service: ContentService) -> None:
    wrong = []
    rows = _rows("Examples")
    assert len(rows) > 15
    for typed, hits, understood in rows:
        page = await service.get_unified_content_paginated(GalleryQuery(q=typed, page_size=1), timeout_ms=60_000)
        assert page.total_kind == "exact"
        told = (f"{page.total_count:,}", page.query)
        if told != (hits, understood):
            wrong.append(f"| `{typed}` | {told[0]} | `{told[1]}` |")
    assert not wrong, "\n".join(wrong)
    for typed in ("waterway", "cathedral_choir"):
        page = await service.get_unified_content_paginated(GalleryQuery(q=typed))
        assert page.warnings[0] in " ".join(_section("Examples").split())


async def test_the_insights_are_true(service: ContentService) -> None:
    """Of one search, what its facets, its histogram and its related tags are said to be."""
    told = _section("An example of all of them")
    typed = re.findall(r"`q=(.+?)`", told)[0]
    query = GalleryQuery(q=typed)

    async def asked(aspect: Aspect) -> dict[str, Any]:
        return (await service.answer(query, aspect=aspect)).told()

    facets = await asked(FacetsAsked(5))
    shown = [f"| `{each['name']}` | {each['count']:,} |" for each in facets["facets"]]
    spread = await asked(HistogramAsked("created_at", 4))
    shown += [f"| {each['from'][:4]} to {each['to'][:4]} | {each['count']:,} |" for each in spread["buckets"]]
    related = await asked(RelatedAsked(5))
    shown += [f"| `{each['name']}` | {each['cosine']:.2f} |" for each in related["related"]]
    missing = [line for line in shown if line not in told]
    assert not missing, "\n".join([*missing, f"{facets['total_count']:,} hits, {facets['kind']} {related['kind']}"])
    assert f"{facets['total_count']:,} hits" in told
    assert (facets["kind"], related["kind"]) == ("exact", "exact")


@pytest.mark.parametrize(("typed", "position", "suggestion"), _rows("When it cannot be understood"))
def test_the_errors_are_true(typed: str, position: str, suggestion: str) -> None:
    with pytest.raises(QuerySyntax) as raised:
        parse(typed)
    assert (raised.value.extra["position"], raised.value.extra["suggestion"]) == (int(position), suggestion)


def test_everything_that_can_be_typed_is_shown() -> None:
    shown = _section("What one can type")
    for field in ("tag:", "by:", "type:", "source:", "score:", "created:", "updated:", "tags:", "order:", "mine:"):
        assert f"`{field}" in shown, field
