"""The sources of content, in the one place that lists them.

A source is a kind of content with a table of its own. Ids of two sources overlap, so an item is
always named by the pair (source, id). The code is what the database stores (`smallint`) and what
breaks ties between equal ids, so a code is never changed or reused; a new source goes to the end.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of content: `name` in the API, `code` in the database, `table` with its rows."""

    code: int
    name: str
    table: str

    @property
    def tags_table(self) -> str:
        """The partition of `content_tags` with this source's taggings."""
        return f"content_tags_{self.name}"


SOURCES: tuple[Source, ...] = (
    Source(1, "regular", "content_items"),
    Source(2, "auto", "content_items_auto"),
)

SOURCE_BY_NAME: dict[str, Source] = {source.name: source for source in SOURCES}
SOURCE_BY_CODE: dict[int, Source] = {source.code: source for source in SOURCES}
