"""Recent: what a process has learnt lately, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SIZE = 20_000


class Recent(Generic[K, V]):
    """The most recently used of what was learnt, `SIZE` at most."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._known: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What was learnt about `key`."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def put(self, key: K, learnt: V) -> None:
        """Remembers it."""
        self._known[key] = learnt
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
