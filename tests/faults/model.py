"""What is written and what may be read: slots whose versions only grow, and checks that are exact.

Each writer has slots of its own. A slot is one item; version n of it has the title `slot s version n`, the
tag `slot-s` and the tag `even` or `odd`. A writer never begins a version before it knows the end of the one
before, or has given up on it. So for every slot it is known which versions were begun, and when each was
acknowledged; a write whose answer was lost may have happened or not.

An answer says `as_of`: every change committed before is in it. So of each slot it must show a version not
older than the last one acknowledged before `as_of`, and none that was never begun. Title and tags change
in one transaction, so they must fit each other; a total must be the number of items that fit. And no
version may be shown that was overtaken longer ago than the staleness that is allowed, whatever `as_of` says:
an answer that is still right may be old.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_TITLE = re.compile(r"slot (\d+) version (\d+)")


@dataclass
class Slot:
    """What is known of one item."""

    number: int
    address: str = ""
    begun: int = 0
    acknowledged: int = 0
    history: list[tuple[float, int]] = field(default_factory=list)
    """When which version was acknowledged, in seconds since 1970."""

    def title(self, version: int) -> str:
        return f"slot {self.number} version {version}"

    def tags(self, version: int) -> list[str]:
        return [f"slot-{self.number}", "odd" if version % 2 else "even", "chaos"]

    def acknowledge(self, at: float, version: int) -> None:
        self.acknowledged = version
        self.history.append((at, version))

    def least(self, at: float) -> int:
        """The version acknowledged last before `at`."""
        return max((version for when, version in self.history if when < at), default=0)


@dataclass
class Tally:
    """What the readers and writers saw."""

    reads: int = 0
    writes: int = 0
    refused_reads: int = 0
    refused_writes: int = 0
    wrong: list[str] = field(default_factory=list)
    stalest_s: float = 0.0
    good_reads: list[float] = field(default_factory=list)
    good_writes: list[float] = field(default_factory=list)


@dataclass
class Model:
    """All slots, and what every answer about them must be."""

    allowed_staleness_s: float
    slots: list[Slot] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def check(self, body: dict[str, Any], asked_at: float, slot: Slot | None, parity: str | None) -> None:
        """Judges the answer to a question about one slot, or about all `even` or `odd` ones, asked at `asked_at`."""
        as_of = datetime.fromisoformat(body["as_of"]).timestamp()
        say = self.tally.wrong.append
        at_least = max(as_of, asked_at - self.allowed_staleness_s)
        shown: dict[int, int] = {}
        for item in body["items"]:
            found = _TITLE.fullmatch(item["title"])
            if found is None:
                say(f"a title nobody wrote: {item['title']}")
                continue
            number, version = int(found[1]), int(found[2])
            shown[number] = version
            if sorted(tag["name"] for tag in item["tags"]) != sorted(self.slots[number].tags(version)):
                say(f"half a write: {item['title']} with {[tag['name'] for tag in item['tags']]}")
        total = body["pagination"]["total_count"]
        if total != len(body["items"]) or len(shown) != len(body["items"]):
            say(f"{total} in all, {len(body['items'])} items, {len(shown)} slots")
        for each in self.slots if slot is None else [slot]:
            self._check_slot(each, shown.get(each.number), at_least, parity)
        for number, version in shown.items():
            overtaken = next((at for at, newer in self.slots[number].history if newer > version), asked_at)
            self.tally.stalest_s = max(self.tally.stalest_s, asked_at - overtaken)

    def _check_slot(self, slot: Slot, shown: int | None, at_least: float, parity: str | None) -> None:
        possible = range(slot.least(at_least), slot.begun + 1)
        fitting = [v for v in possible if v > 0 and (parity is None or slot.tags(v)[1] == parity)]
        if shown is not None:
            if shown not in fitting:
                self.tally.wrong.append(f"slot {slot.number} shows {shown}, could be {fitting[:5]}")
        elif possible.start > 0 and len(fitting) == len(possible):
            self.tally.wrong.append(f"slot {slot.number} is not shown, though it is one of {fitting[:5]}")
