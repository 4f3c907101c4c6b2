"""Files to import, and what a gallery looks like afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from pinakes.store.pool import Pool
from pinakes.store.transfer.exporter import export
from pinakes.store.transfer.importer import ImportReport

ITEM: dict[str, Any] = {"id": "a", "source_type": "regular", "title": "A title"}
FULL: dict[str, Any] = {
    "id": "full",
    "source_type": "auto",
    "title": 'Tabs\tand\nlines \\ "quoted" 🏛',
    "content_type": "video/mp4",
    "prompt": "a prompt",
    "creator": "Ada",
    "tags": ["sea", " man, old ", "Sea", "sea"],
    "is_private": True,
    "quality_score": 0.1,
    "created_at": "1545-01-01T00:00:00Z",
    "updated_at": "2024-02-29T12:00:00.000001+02:00",
    "path_thumb": "https://example.org/1.jpg",
    "path_thumbs_alt_res": {"2x": "https://example.org/2.jpg"},
    "content_data": "data\\N",
    "item_metadata": {"a": [1, 2.5, None, "\\"], "ü": {}},
}


def write(path: Path, lines: Iterable[dict[str, Any] | bytes]) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines))
    return path


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    found = report.counts
    return found.created, found.updated, found.unchanged, found.rejected


async def state(pool: Pool) -> list[bytes]:
    """Everything people can see of the gallery, without internal numbers."""
    out = BytesIO()
    await export(pool, out)
    return sorted(out.getvalue().splitlines())


async def assert_counts_hold(pool: Pool) -> None:
    counted = await pool.fetch(
        "SELECT source_type, tag_id, count(*) FROM content_tags GROUP BY source_type, tag_id ORDER BY 1, 2"
    )
    kept = await pool.fetch(
        "SELECT source_type, tag_id, item_count FROM tag_counts WHERE item_count <> 0 ORDER BY 1, 2"
    )
    assert [tuple(row) for row in counted] == [tuple(row) for row in kept]
    assert await pool.fetchval("SELECT count(*) FROM tag_count_deltas") == 0
    assert await pool.fetchval("SELECT count(*) FROM load_state") == 0
