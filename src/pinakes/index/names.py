"""Names of tags in the process: what is shown of a tag, by its number.

A page of 25 items shows some 150 tags, and reading them costs more than reading the items. They are
kept until an epoch says that a tag was renamed, came or went. A name read while that epoch was being
followed is not kept, since nobody could tell which side of it it is from.

All tags of a vocabulary of 200,000 take some 50 MB; beyond `MEMORY` everything is read again.
"""

from __future__ import annotations

from collections.abc import Iterable

from pinakes.memory import ENTRY_BYTES, watch
from pinakes.query.item import Tag
from pinakes.store.pool import Connection
from pinakes.store.tags import by_number

MEMORY = 128 * 2**20


class TagNames:
    """Tags by number, as the newest epoch followed shows them."""

    def __init__(self) -> None:
        self._tags: dict[int, Tag] = {}
        self._version = 0
        self.name, self.limit = "tag names", MEMORY
        self.bytes = self.evictions = 0
        watch(self)

    def __len__(self) -> int:
        return len(self._tags)

    def forget(self) -> None:
        """A tag was renamed, came or went."""
        self._tags, self.bytes = {}, 0
        self._version += 1

    async def of(self, connection: Connection, numbers: Iterable[int]) -> dict[int, Tag]:
        """Tags by number, at least those of `numbers` that exist; not to be changed."""
        known = self._tags
        missing = set(numbers).difference(known)
        if not missing:
            return known
        version = self._version
        read = await by_number(connection, missing)
        if version != self._version:
            return known | read
        size = sum(map(_weight, read.values()))
        if self.bytes + size > self.limit:
            self.evictions += len(known)
            self._tags, self.bytes = {}, 0
            known = self._tags
        known.update(read)
        self.bytes += size
        return known


def _weight(tag: Tag) -> int:
    """Bytes of a tag under its number, rather too high."""
    return 2 * ENTRY_BYTES + 4 * len(tag.name)
