"""Workloads: which questions a measurement asks, how often each kind, and for whom.

A workload is a TOML file; of those in `workloads`, `default` is used when none is named. Numbers are
weights: only their proportions matter, and 0 leaves a kind out.

    page-size = 25
    draw-tags-by = "popularity"      # or "uniform"

    [kinds]      # what is asked; see KINDS
    single = 3
    [sorts]      # "<field> <asc|desc>"
    "created_at desc" = 5
    [places]     # first, last, random page of the answer
    first = 3
    [viewers]    # anonymous; member: a creator of the gallery; owner: one with private items
    anonymous = 3
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pinakes.errors import SettingsError
from pinakes.query.gallery_query import MAX_PAGE_SIZE, SORT_FIELDS, SORT_ORDERS

Kind: TypeAlias = Literal[
    "nothing", "single", "all", "any", "none", "rare-common", "never-meet", "not-common", "creator", "text"
]
"""What is asked:

| kind | question |
|---|---|
| nothing | the whole gallery |
| single | one tag |
| all | two to eight tags, all of them: three in four taken from one item, so that they meet |
| any | two to eight tags, any of them |
| none | one tag, and none of one to three others |
| rare-common | a rare tag and a common one, both |
| never-meet | two common tags that no item has both of |
| not-common | everything but a common tag |
| creator | the items of one creator |
| text | one or two words of some item's title or prompt |
"""
Place: TypeAlias = Literal["first", "last", "random"]
ViewerKind: TypeAlias = Literal["anonymous", "member", "owner"]
DrawBy: TypeAlias = Literal["popularity", "uniform"]

KINDS: tuple[Kind, ...] = get_args(Kind)
PLACES: tuple[Place, ...] = get_args(Place)
VIEWERS: tuple[ViewerKind, ...] = get_args(ViewerKind)
SORTS: tuple[str, ...] = tuple(f"{field} {order}" for field in SORT_FIELDS for order in SORT_ORDERS)

_TABLES: dict[str, tuple[str, ...]] = {"kinds": KINDS, "sorts": SORTS, "places": PLACES, "viewers": VIEWERS}


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked, as weights."""

    name: str
    kinds: Mapping[str, float]
    sorts: Mapping[str, float]
    places: Mapping[str, float]
    viewers: Mapping[str, float]
    page_size: int = 25
    draw_tags_by: DrawBy = "popularity"

    def as_dict(self) -> dict[str, Any]:
        """For the results, so that they say what was asked."""
        weights = {name: dict(getattr(self, name)) for name in _TABLES}
        return {"name": self.name, "page_size": self.page_size, "draw_tags_by": self.draw_tags_by, **weights}


def shipped() -> list[str]:
    """The names of the workloads that come with Pinakes."""
    found = files("pinakes.bench.workloads").iterdir()
    return sorted(each.name.removesuffix(".toml") for each in found if each.name.endswith(".toml"))


def load_workload(named: str = "default") -> Workload:
    """The workload that comes under this name, or the one in a file.

    Raises:
        SettingsError: it cannot be read, or names something no workload has.
    """
    if named in shipped():
        return _parse(named, (files("pinakes.bench.workloads") / f"{named}.toml").read_text(encoding="utf-8"))
    path = Path(named)
    try:
        return _parse(path.stem, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"Workload {path} cannot be read: {error.strerror}; {' and '.join(shipped())} come with Pinakes"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text") from error


def _parse(name: str, text: str) -> Workload:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"Workload {name} is not valid TOML: {error}") from error
    unknown = sorted(found.keys() - {*_TABLES, "page-size", "draw-tags-by"})
    if unknown:
        raise SettingsError(
            f"Workload {name} has unknown keys: {', '.join(unknown)}",
            allowed=[*_TABLES, "page-size", "draw-tags-by"],
        )
    page_size, by = found.get("page-size", 25), found.get("draw-tags-by", "popularity")
    if not isinstance(page_size, int) or not 1 <= page_size <= MAX_PAGE_SIZE:
        raise SettingsError(f"Workload {name}: page-size is 1 to {MAX_PAGE_SIZE}, not {page_size!r}")
    if by not in get_args(DrawBy):
        raise SettingsError(f"Workload {name}: draw-tags-by cannot be {by!r}", allowed=list(get_args(DrawBy)))
    tables = {table: _weights(name, table, found.get(table, {})) for table in _TABLES}
    return Workload(name, **tables, page_size=page_size, draw_tags_by=by)


def _weights(workload: str, table: str, given: Any) -> dict[str, float]:
    allowed = _TABLES[table]
    if not isinstance(given, dict) or not given:
        raise SettingsError(f"Workload {workload} needs a table [{table}]", allowed=list(allowed))
    unknown = sorted(given.keys() - set(allowed))
    if unknown:
        raise SettingsError(f"Workload {workload}: [{table}] cannot name {', '.join(unknown)}", allowed=list(allowed))
    wrong = [key for key, weight in given.items() if isinstance(weight, bool) or not isinstance(weight, int | float)]
    if wrong or any(weight < 0 for weight in given.values()) or not sum(given.values()) > 0:
        raise SettingsError(f"Workload {workload}: weights in [{table}] are numbers from 0, not all of them 0")
    return {key: float(weight) for key, weight in given.items() if weight}
