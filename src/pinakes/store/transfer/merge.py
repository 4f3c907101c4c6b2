"""One batch's rows of one source into its tables: new items by COPY, known ones compared and changed.

An item is known by its external id. What a line does not say stays as it is; an item that is as its
line says is not touched, so importing again writes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pinakes.query.sources import Source
from pinakes.store import copy_format
from pinakes.store.bulk import LOCAL_SETTINGS, BulkLoad, NewRows
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load
from pinakes.store.transfer.batch import Part
from pinakes.store.transfer.line import FIELDS
from pinakes.store.transfer.progress import Counts

_COLUMNS = ("creator_id", *FIELDS)


def _sql(name: str, source: Source) -> str:
    text = load("transfer")[name].replace("{code}", str(source.code)).replace("{name}", source.name)
    return for_source(text, source)


async def existing(connection: Connection, source: Source, part: Part) -> dict[str, int]:
    """The ids of those items of `part` that are there already, by external id."""
    rows = await connection.fetch(_sql("existing", source), part.external_ids)
    return {row[0]: row[1] for row in rows}


class Merge:
    """What turns a batch's numbers into the database's: ids of this file's tags and creators."""

    def __init__(self, load_: BulkLoad) -> None:
        self._load = load_
        self._tags: NDArray[np.int64] = np.empty(0, np.int64)
        self._aliased = False
        self._creators: list[int] = []

    async def learn(self, new_tags: list[str], new_creators: list[str]) -> None:
        """Numbers of names that a batch brings; made in the database where they are missing."""
        if new_tags:
            self._tags = np.append(self._tags, await self._load.tags(new_tags))
            self._aliased = len(np.unique(self._tags)) < len(self._tags)
        if new_creators:
            ids = await self._load.users(new_creators)
            self._creators += [ids[name] for name in new_creators]

    async def store(self, connection: Connection, source: Source, part: Part, *, all_new: bool) -> Counts:
        """Creates and changes items in the transaction of `connection`.

        Raises:
            Conflict: with `all_new`, one of them exists; else, somebody created one at this moment. To
                be tried again in another transaction, without `all_new`.
        """
        await connection.execute(LOCAL_SETTINGS)
        known = {} if all_new else await existing(connection, source, part)
        creators = self._creators
        texts = [f"{creators[who]}\t{text}" for who, text in zip(part.creators, part.texts, strict=True)]
        per_row = np.asarray(part.tag_counts, np.int64)
        rows = np.repeat(np.arange(len(texts)), per_row)
        tags = self._tags[np.asarray(part.tags, np.int64)]
        if self._aliased:  # a line may name a tag and its alias
            pairs = np.unique(np.stack((rows, tags)), axis=1)
            rows, tags = pairs[0], pairs[1]
            per_row = np.bincount(rows, minlength=len(texts))
        if not known:
            await self._load.add_rows(NewRows(source, _COLUMNS, texts, rows, tags), connection)
            return Counts(created=len(texts))
        ids = [known.get(external_id) for external_id in part.external_ids]
        is_new = np.fromiter((number is None for number in ids), np.bool_, len(ids))
        new = NewRows(
            source,
            _COLUMNS,
            [text for text, number in zip(texts, ids, strict=True) if number is None],
            np.repeat(np.arange(int(is_new.sum())), per_row[is_new]),
            tags[is_new[rows]],
        )
        await self._load.add_rows(new, connection)
        ends = np.cumsum(per_row).tolist()
        staged = [
            _staged_row(number, texts[place], part.given[place], tags[end - count : end])
            for place, (number, count, end) in enumerate(zip(ids, per_row.tolist(), ends, strict=True))
            if number is not None
        ]
        updated = await self._change(connection, source, staged)
        return Counts(created=len(new.texts), updated=updated, unchanged=len(staged) - updated)

    @staticmethod
    async def _change(connection: Connection, source: Source, staged: list[str]) -> int:
        """Makes known items what their rows say; how many had to be changed."""
        await connection.execute(_sql("plan_from_stage", source))
        await connection.execute(_sql("stage", source))
        await connection.copy_to_table(
            f"stage_{source.table}",
            schema_name="pg_temp",
            columns=["id", *_COLUMNS, "given", "tags"],
            source=copy_format.chunks("".join(staged).encode()),
            format="text",
        )
        differing = [row["id"] for row in await connection.fetch(_sql("differing", source))]
        if not differing:
            return 0
        held = [row["id"] for row in await connection.fetch(_sql("lock", source), differing)]
        for step in ("change", "remove_tags", "add_tags"):
            await connection.execute(_sql(step, source), held)
        return len(held)


def _staged_row(number: int, text: str, given: int, tags: NDArray[Any]) -> str:
    listed = ",".join(map(str, np.sort(tags).tolist()))
    return f"{number}\t{text}\t{given}\t{{{listed}}}\n"
