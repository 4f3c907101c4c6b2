"""Decoded bitmaps in memory, bounded in bytes, least recently used first to go.

Each entry is true of its own epoch; `get` brings it forward by the deltas since, so an epoch that
touches a thousand terms costs a worker only the entries it asks for again. A request whose snapshot
is a little older than the newest epoch gets a copy with the later deltas taken back.

Law: `get(term, e)` is the set of documents that had the term at epoch e, for every e from `floor`
to `epoch`. Taking back needs deltas that say exactly what changed, as one epoch's always do. While somebody
`keeps` what was handed out, it does not change: deltas are then applied to copies.

The size of an entry is taken when it enters; deltas change it little before the next fold.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyroaring import BitMap

from pinakes.bitmap.deltas import Delta
from pinakes.bitmap.segments import size_of
from pinakes.memory import watch


@dataclass(slots=True)
class _Entry:
    bitmap: BitMap
    size: int
    epoch: int


class BitmapCache:
    """Bitmaps by term, and the deltas that bring them to the newest epoch."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes."""
        self.name = "bitmaps"
        self.limit = limit
        self.size = 0
        self.evictions = 0
        self.epoch = 0
        self.floor = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._log: dict[str, list[tuple[int, Delta]]] = {}
        self._pins: Counter[str] = Counter()
        self._keeping = 0
        watch(self)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """Bytes of the bitmaps held."""
        return self.size

    def __contains__(self, term: str) -> bool:
        return term in self._entries

    def get(self, term: str, epoch: int | None = None) -> BitMap | None:
        """The bitmap of `term` at `epoch` (None: the newest), or None when it is not held.

        It is the cache's own unless later deltas had to be taken back.
        """
        entry = self._entries.get(term)
        if entry is None:
            return None
        self._entries.move_to_end(term)
        if entry.epoch < self.epoch:
            self._bring_forward(term, entry)
        if epoch is not None and epoch < self.epoch:
            later = [delta for at, delta in self._log.get(term, ()) if at > epoch]
            if later:
                earlier = entry.bitmap.copy()
                for delta in reversed(later):
                    delta.take_back(earlier)
                return earlier
        return entry.bitmap

    def several(self, terms: Sequence[str], epoch: int) -> list[BitMap | None]:
        """As `get`, term by term, in a third of the time for the many small ones whose overlaps are counted."""
        if epoch < self.epoch:
            return [self.get(term, epoch) for term in terms]
        entries, used = self._entries, self._entries.move_to_end
        found: list[BitMap | None] = []
        for term in terms:
            entry = entries.get(term)
            if entry is None:
                found.append(None)
                continue
            used(term)
            if entry.epoch < self.epoch:
                self._bring_forward(term, entry)
            found.append(entry.bitmap)
        return found

    def put(self, term: str, bitmap: BitMap, epoch: int) -> None:
        """Hold `bitmap`, true of `epoch`; the cache owns it from here on."""
        if epoch < self.floor:
            raise ValueError(f"epoch {epoch} is before {self.floor}, and the deltas since are gone")
        self._drop(term)
        entry = _Entry(bitmap, size_of(bitmap) + 2 * len(term), epoch)
        self._entries[term] = entry
        self.size += entry.size

    def pin(self, terms: Iterable[str]) -> None:
        """Keep these until they are unpinned, whatever the limit says."""
        self._pins.update(terms)

    def unpin(self, terms: Iterable[str]) -> None:
        """Give back what `pin` took."""
        self._pins.subtract(terms)
        self._pins += Counter()  # forgets those at zero

    @contextmanager
    def keeps(self) -> Iterator[None]:
        """No bitmap that was handed out changes as long as the context lasts."""
        self._keeping += 1
        try:
            yield
        finally:
            self._keeping -= 1

    def shrink(self) -> None:
        """Let go of the least recently used until the limit holds, as far as they are not pinned."""
        if self.size <= self.limit:
            return
        for term in [term for term in self._entries if term not in self._pins]:
            self._drop(term)
            self.evictions += 1
            if self.size <= self.limit:
                return

    def advance(self, epoch: int, deltas: Mapping[str, Delta]) -> None:
        """The deltas that lead from the newest epoch held to `epoch`."""
        for term, delta in deltas.items():
            self._log.setdefault(term, []).append((epoch, delta))
        self.epoch = epoch

    def forget_deltas(self, folded: int) -> None:
        """Deltas up to `folded` are in the segments: apply them to what is held, then let them go."""
        for term, log in list(self._log.items()):
            entry = self._entries.get(term)
            if entry is not None and entry.epoch < self.epoch:
                self._bring_forward(term, entry)
            kept = [(epoch, delta) for epoch, delta in log if epoch > folded]
            if kept:
                self._log[term] = kept
            else:
                del self._log[term]
        self.floor = max(self.floor, folded)

    def is_changed(self, term: str) -> bool:
        """Whether one of the deltas held is about `term`."""
        return term in self._log

    def gained(self, prefix: str, until: int | None = None) -> dict[str, int]:
        """For terms that begin with `prefix`, how many documents at most they gained by the deltas held.

        `until`: by those up to that epoch.
        """
        return {
            term: sum(len(delta.added) for epoch, delta in log if until is None or epoch <= until)
            for term, log in self._log.items()
            if term.startswith(prefix)
        }

    def clear(self, epoch: int) -> None:
        """Start again, knowing nothing, at `epoch`."""
        self._entries.clear()
        self._log.clear()
        self.size = 0
        self.epoch = self.floor = epoch

    def _drop(self, term: str) -> None:
        entry = self._entries.pop(term, None)
        if entry is not None:
            self.size -= entry.size

    def _bring_forward(self, term: str, entry: _Entry) -> None:
        log = self._log.get(term, ())
        if self._keeping and log:
            entry.bitmap = entry.bitmap.copy()
        for epoch, delta in log:
            if epoch > entry.epoch:
                delta.apply(entry.bitmap)
        entry.epoch = self.epoch
