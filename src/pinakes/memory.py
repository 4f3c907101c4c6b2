"""Memory: what a process remembers between requests, each kind bounded in bytes and told at `/metrics`.

A bound on the number of entries is no bound: one question may be a hundred bytes long or sixty thousand. So
each entry is weighed when it comes in, and the least recently used go until the bytes fit the limit. An entry
heavier than a `1 / SHARE` of the limit is not remembered at all, so that one of them does not empty the memory.

Law: `bytes` is the sum of the weights of the entries, and never above `limit`.

Weighing takes about half a microsecond an object, and is done once an entry. Where an entry costs little to make it is
estimated instead (`of_text`). What is bounded in a way of its own, as bitmaps are, is told too (`watch`).
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, cast

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
P = ParamSpec("P")

SHARE = 4
ENTRY_BYTES = 120
"""What an `OrderedDict` takes for an entry, beside key and value."""


class Bounded(Protocol):
    """Whatever keeps `bytes` of something below a `limit`."""

    name: str
    evictions: int

    @property
    def bytes(self) -> int:
        """Bytes held now."""

    @property
    def limit(self) -> int:
        """Bytes that may be held."""

    def __len__(self) -> int: ...


_ALL: weakref.WeakSet[Bounded] = weakref.WeakSet()


def watch(thing: Bounded) -> None:
    """`held` tells of `thing` from now on, for as long as it lives."""
    _ALL.add(thing)


class Memory(Generic[K, V]):
    """The most recently used entries, `limit` bytes at most."""

    def __init__(self, name: str, limit: int, weigh: Callable[[K, V], int] | None = None) -> None:
        """`name` is its label at `/metrics`; `weigh` gives the bytes of a key and its value, instead of `weight`."""
        self.name = name
        self.limit = limit
        self.bytes = 0
        self.evictions = 0
        self._weigh = weigh or (lambda key, value: weight((key, value)))
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        watch(self)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """What is remembered under `key`, now the most recently used."""
        found = self._held.get(key)
        if found is None:
            return None
        self._held.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V) -> None:
        """Remembers `value`, unless it is too heavy for this memory."""
        self.drop(key)
        size = self._weigh(key, value) + ENTRY_BYTES
        if size * SHARE > self.limit:
            return
        self._held[key] = (value, size)
        self.bytes += size
        while self.bytes > self.limit:
            _, (_, freed) = self._held.popitem(last=False)
            self.bytes -= freed
            self.evictions += 1

    def drop(self, key: K) -> None:
        """Forgets `key`."""
        held = self._held.pop(key, None)
        if held is not None:
            self.bytes -= held[1]

    def clear(self) -> None:
        """Forgets everything."""
        self._held.clear()
        self.bytes = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What the memories of one name hold together."""

    bytes: int
    limit: int
    entries: int
    evictions: int


def held() -> Mapping[str, Held]:
    """What every memory of this process holds, by name."""
    found: dict[str, Held] = {}
    for each in sorted(_ALL, key=lambda memory: memory.name):
        before = found.get(each.name, Held(0, 0, 0, 0))
        found[each.name] = Held(
            before.bytes + each.bytes,
            before.limit + each.limit,
            before.entries + len(each),
            before.evictions + each.evictions,
        )
    return found


def remembered(name: str, limit: int) -> Callable[[Callable[P, V]], Remembered[P, V]]:
    """A decorator: results of a pure function are remembered by its positional arguments, `limit` bytes at most."""
    return lambda function: Remembered(function, Memory(name, limit))


class Remembered(Generic[P, V]):
    """A function that remembers its results in `memory`."""

    def __init__(self, function: Callable[P, V], memory: Memory[Any, tuple[V]]) -> None:
        self.__wrapped__ = function
        self.memory = memory

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> V:
        """What the function gives; with keywords it is asked anew."""
        if kwargs:
            return self.__wrapped__(*args, **kwargs)
        found = self.memory.get(args)
        if found is None:
            found = (self.__wrapped__(*args, **kwargs),)
            self.memory.put(args, found)
        return found[0]


SHORT = 500
"""Characters of a question whose weight is estimated."""


def of_text(text: str, thing: object) -> int:
    """The bytes of `thing`, which was made from `text`: estimated, rather too high, where that is short."""
    return 2000 + 50 * len(text) if len(text) <= SHORT else weight(thing)


def weight(thing: object) -> int:
    """The bytes of `thing` and of all it is made of, each object once: containers and dataclasses are looked into."""
    total, seen, stack = 0, set[int](), [thing]
    while stack:
        each = stack.pop()
        if id(each) in seen or each is None or isinstance(each, type):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        stack.extend(_inside(each))
    return total


def _inside(thing: object) -> Iterator[object]:
    if isinstance(thing, str | bytes | int | float):
        return
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            yield key
            yield value
    elif isinstance(thing, tuple | list | set | frozenset):
        yield from thing
    else:
        for name in _fields(cast("Hashable", type(thing))):
            yield getattr(thing, name, None)


@cache
def _fields(kind: Hashable) -> tuple[str, ...]:
    """The attributes of a dataclass; none of anything else."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()
