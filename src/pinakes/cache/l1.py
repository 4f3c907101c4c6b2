"""L1: finished answers in the process, bounded by bytes, least recently used first out.

It judges nothing. Next to each entry stands under which version of the mirror it was last judged
right, and until when that judgement held (Redis' time), so a second look under the same version
costs one comparison and an answer that has just gone stale can still be given within the budget.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from pinakes.cache.entry import Entry
from pinakes.memory import watch


@dataclass(slots=True)
class Held:
    """An entry in the process. `right_ms`: the latest time it is known to have been the right answer."""

    entry: Entry
    version: int
    right_ms: int
    size: int


class L1:
    """A bounded map from key to held entry."""

    def __init__(self, max_bytes: int) -> None:
        self.name = "answers"
        self.limit = max_bytes
        self._held: OrderedDict[bytes, Held] = OrderedDict()
        self.bytes = 0
        self.evictions = 0
        watch(self)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: bytes) -> Held | None:
        """What is held under `key`, now the most recently used."""
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
        return held

    def put(self, key: bytes, entry: Entry, *, version: int, right_ms: int) -> Held:
        """Holds `entry`; what is too large for the whole of L1 is not kept."""
        self.drop(key)
        # Counted as it will be once every encoding was asked for.
        held = Held(entry, version, right_ms, entry.full_size)
        if held.size > self.limit:
            return held
        self._held[key] = held
        self.bytes += held.size
        while self.bytes > self.limit:
            _, oldest = self._held.popitem(last=False)
            self.bytes -= oldest.size
            self.evictions += 1
        return held

    def drop(self, key: bytes) -> None:
        """No longer holds `key`."""
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= held.size

    def clear(self) -> None:
        """Holds nothing."""
        self._held.clear()
        self.bytes = 0
