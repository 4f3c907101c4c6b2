"""What the names in a query mean: tags, aliases, tags below them, patterns, creators.

Whether a tag or creator *exists* for a viewer means that an item they can see has it: otherwise the
warning about an unknown one would tell strangers what private items have. A tag asked for with its
descendants exists where any of them does.

Cardinalities are exact sums of maintained counts (`tag_counts` plus `tag_count_deltas`) over all
items, private ones included; they choose plans and are never shown. Where a pattern has to be cut,
visible items decide, counted up to `COUNTED`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pinakes.errors import TooManyTerms
from pinakes.query.formula import NOTHING, Formula, Term, disj, leaves
from pinakes.query.gallery_query import Ref
from pinakes.query.language.adjacent import Adjacent
from pinakes.query.language.syntax import Creator, Pattern, TagName, Word, typed
from pinakes.query.names import key
from pinakes.query.sources import SOURCES
from pinakes.query.text import words
from pinakes.store.compiler import all_words
from pinakes.store.pool import Connection
from pinakes.store.queries import for_source, load

INT4_MAX = 2**31 - 1

MAX_FAMILY = 5000
"""Tags that all descendants of a query's tags may be together; more is an error, since leaving some out is wrong."""

MAX_MATCHES = 500
"""Tags a pattern may stand for; the most used ones, where it has more."""

MAX_CANDIDATES = 20_000
"""Names looked at for one pattern."""

MAX_CREATORS = 50
"""Users one `by:` may stand for."""

COUNTED = 100


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a query's names mean to this viewer. `unknown`: some of them mean nothing.

    `unsure`: they could come to mean something else without a name or one of `known` changing, since
    some tag or user that might have been meant is on no item this viewer can see.
    """

    meanings: Mapping[Ref, Formula] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    unknown: bool = False
    unsure: bool = False

    def __call__(self, ref: Ref) -> Formula:
        """The formula `ref` stands for."""
        return self.meanings.get(ref, NOTHING)

    @property
    def known(self) -> frozenset[Term]:
        """Every term that some name stands for."""
        return frozenset(leaf for each in self.meanings.values() for leaf in leaves(each) if isinstance(leaf, Term))


@dataclass(frozen=True, slots=True)
class Cardinalities:
    """Items per (source code, tag id), and about how many items each source holds."""

    tags: Mapping[tuple[int, int], int] = field(default_factory=dict)
    rows: Mapping[int, int] = field(default_factory=dict)

    def of(self, source: int, tag: int) -> int:
        """How many items of `source` carry `tag`."""
        return self.tags.get((source, tag), 0)

    def size(self, source: int) -> int:
        """About how many items `source` holds; at least what its most used tag here says."""
        known = max((n for (code, _), n in self.tags.items() if code == source), default=0)
        return max(self.rows.get(source, 0), known, 1)


async def resolve(
    connection: Connection, refs: frozenset[Ref], viewer: int | None, descendants: bool | None = None
) -> Vocabulary:
    """The vocabulary for `refs`, as far as `viewer` may know it. `descendants` as in `GalleryQuery`.

    Raises:
        TooManyTerms: the tags below those asked for are too many.
    """
    if not refs:
        return Vocabulary()
    lookup = _Lookup(connection, viewer, descendants)
    await lookup.tags([ref for ref in refs if isinstance(ref, int | str | Word | TagName | Adjacent)])
    for pattern in sorted((ref for ref in refs if isinstance(ref, Pattern)), key=str):
        await lookup.pattern(pattern)
    for creator in sorted((ref for ref in refs if isinstance(ref, Creator)), key=str):
        await lookup.creator(creator)
    lookup.report(refs)
    return Vocabulary(lookup.meanings, tuple(lookup.warnings), lookup.unknown, lookup.unsure)


_TagRef: TypeAlias = int | str | Word | TagName | Adjacent
"""What may stand for a tag."""


class _Lookup:
    """One vocabulary in the making."""

    def __init__(self, connection: Connection, viewer: int | None, descendants: bool | None) -> None:
        self._connection = connection
        self._viewer = viewer
        self._descendants = descendants
        self._sql = load("vocabulary")
        self.meanings: dict[Ref, Formula] = {}
        self.warnings: list[str] = []
        self.unknown = False
        self.unsure = False

    async def tags(self, refs: Collection[_TagRef]) -> None:
        """Names and numbers of tags, aliases followed."""
        if not refs:
            return
        asked = sorted({name for ref in refs if (name := _name(ref)) is not None})
        numbers = [ref for ref in refs if isinstance(ref, int) and 0 <= ref <= INT4_MAX]
        found = await self._connection.fetch(self._sql["resolve_tags"], asked, numbers)
        by_number = {row["id"] for row in found if row["asked"] is None}
        by_alias = {row["asked"]: row for row in found if row["by_alias"]}
        by_name = by_alias | {row["asked"]: row for row in found if not row["by_alias"]}
        chosen: dict[_TagRef, tuple[int, str | None]] = {}
        for ref in refs:
            if isinstance(ref, int):
                if ref in by_number:
                    chosen[ref] = (ref, None)
            elif (row := by_name.get(_name(ref))) is not None:
                chosen[ref] = (row["id"], row["name"] if row["by_alias"] else None)
        names = {row["id"]: row["name"] for row in found}
        families = await self._families({tag for ref, (tag, _) in chosen.items() if self._descends(ref)})
        visible = await self._visible({each for tag, _ in chosen.values() for each in families.get(tag, {tag})})
        for ref, (tag, alias_of) in sorted(chosen.items(), key=lambda pair: str(pair[0])):
            family = families[tag] if self._descends(ref) else {tag}
            if visible.isdisjoint(family):
                self.unsure = True
                continue
            self.meanings[ref] = _any_tag(family)
            if isinstance(ref, Adjacent):
                self.warnings.append(f"{ref.text!r} was read as separate words; it is also a tag: {typed(names[tag])}")
            elif alias_of is not None:
                self.warnings.append(f"{_shown(ref)!r} is an alias of {alias_of!r}")

    def _descends(self, ref: Ref) -> bool:
        return not isinstance(ref, int | str) if self._descendants is None else self._descendants

    async def pattern(self, ref: Pattern) -> None:
        """The tags like `ref`, in any spelling."""
        self.unsure = True
        rows = await self._connection.fetch(self._sql["match_pattern"], _like(key(ref.text)), MAX_CANDIDATES + 1)
        tags = [row["id"] for row in rows[:MAX_CANDIDATES]]
        families = await self._families(set(tags) if self._descends(ref) else set())
        visible = await self._visible(set(tags).union(*families.values()))
        matched = [tag for tag in tags if not visible.isdisjoint(families.get(tag, {tag}))]
        if not matched:
            return
        if len(rows) > MAX_CANDIDATES:
            self.warnings.append(f"{ref.text!r} was compared with the first {MAX_CANDIDATES:,} names only")
        if len(matched) > MAX_MATCHES:
            self.warnings.append(
                f"{ref.text!r} stands for {len(matched):,} tags; the {MAX_MATCHES:,} most used were taken"
            )
            matched = await self._most_used(matched)
        self.meanings[ref] = _any_tag({each for tag in matched for each in families.get(tag, {tag})})

    async def _most_used(self, tags: list[int]) -> list[int]:
        """The `MAX_MATCHES` of `tags` on most visible items; equal ones, and those beyond `COUNTED`, by name."""
        items: Counter[int] = Counter()
        for source in SOURCES:
            sql = for_source(self._sql["visible_up_to"], source)
            for row in await self._connection.fetch(sql, tags, self._viewer, COUNTED):
                items[row["tag_id"]] += row["items"]
        return sorted(tags, key=lambda tag: -min(items[tag], COUNTED))[:MAX_MATCHES]

    async def creator(self, ref: Creator) -> None:
        """The users of this name in any spelling, or else those with these words in their names."""
        self.unsure = True
        rows = await self._connection.fetch(self._sql["users_named"], ref.name, MAX_CANDIDATES)
        visible = await self._with_items({row["id"] for row in rows})
        found = [row for row in rows if row["id"] in visible]
        wanted = words(ref.name)
        if not found and wanted:
            rows = await self._connection.fetch(self._sql["users_with_words"], all_words(wanted), MAX_CANDIDATES)
            visible = await self._with_items({row["id"] for row in rows})
            found = [row for row in rows if row["id"] in visible]
        elif len(found) == 1:
            self.meanings[ref] = Term("creator", found[0]["id"])
            return
        if not found:
            return
        self.meanings[ref] = disj(Term("creator", row["id"]) for row in found[:MAX_CREATORS])
        told = ", ".join(repr(row["username"]) for row in found[:3])
        more = f" and {len(found) - 3:,} more" if len(found) > 3 else ""
        cut = f"; the first {MAX_CREATORS} were taken" if len(found) > MAX_CREATORS else ""
        self.warnings.append(f"by:{ref.name!r} stands for {told}{more}{cut}")

    def report(self, refs: Iterable[Ref]) -> None:
        """Warnings about what means nothing: numbers first, then by name."""
        missing = [ref for ref in refs if ref not in self.meanings and not isinstance(ref, Adjacent)]
        self.unknown = bool(missing)
        missing.sort(key=lambda ref: (not isinstance(ref, int), str(_shown(ref)), str(type(ref))))
        self.warnings[:0] = [_missing(ref) for ref in missing]

    async def _families(self, tags: set[int]) -> dict[int, set[int]]:
        """Every one of `tags` with all that stand below it."""
        if not tags:
            return {}
        rows = await self._connection.fetch(self._sql["families"], sorted(tags), MAX_FAMILY + len(tags) + 1)
        if len(rows) > MAX_FAMILY + len(tags):
            raise TooManyTerms(
                "Too many tags stand below the tags of the query.",
                hint="Ask with descendants=false, or for narrower tags.",
                allowed=f"at most {MAX_FAMILY:,} tags below those asked for",
            )
        found: dict[int, set[int]] = defaultdict(set)
        for row in rows:
            found[row["root"]].add(row["id"])
        return found

    async def _visible(self, tags: set[int]) -> set[int]:
        """Those of `tags` that an item the viewer may see carries."""
        return await self._seen("tag_is_visible", "tag_id", tags)

    async def _with_items(self, creators: set[int]) -> set[int]:
        """Those of `creators` with an item the viewer may see."""
        return await self._seen("creator_is_visible", "creator_id", creators)

    async def _seen(self, query: str, column: str, asked: set[int]) -> set[int]:
        unseen, visible = set(asked), set[int]()
        for source in SOURCES:
            if not unseen:
                break
            rows = await self._connection.fetch(for_source(self._sql[query], source), sorted(unseen), self._viewer)
            visible.update(row[column] for row in rows)
            unseen -= visible
        return visible


def _like(pattern: str) -> str:
    """`pattern` as LIKE has it; only `*` is special."""
    return "".join("%" if c == "*" else f"\\{c}" if c in "%_\\" else c for c in pattern)


def _any_tag(tags: Iterable[int]) -> Formula:
    return disj(Term("tag", tag) for tag in tags)


def _name(ref: _TagRef) -> str | None:
    """What `ref` is called; None where it is a number."""
    match ref:
        case Word(text) | TagName(text) | Adjacent(text):
            return text
        case str():
            return ref
        case _:
            return None


def _shown(ref: Ref) -> int | str:
    """`ref` as it was typed."""
    match ref:
        case int() | str():
            return ref
        case Word(text) | Pattern(text) | Adjacent(text):
            return text
        case TagName(name) | Creator(name):
            return name


def _missing(ref: Ref) -> str:
    """The warning that `ref` means nothing."""
    match ref:
        case Word(text) if words(text):
            return f"there is no tag {text!r}; it is searched in title and prompt"
        case Creator(name):
            return f"unknown user {name!r} matches nothing"
        case Pattern(text):
            return f"no tag is like {text!r}, so it matches nothing"
        case _:
            return f"unknown tag {_shown(ref)!r} matches nothing"


async def cardinalities(connection: Connection, tags: set[int]) -> Cardinalities:
    """Maintained counts of `tags` and the sizes of all sources."""
    sql = load("vocabulary")
    rows = {row["code"]: row["items"] for row in await connection.fetch(sql["table_rows"])}
    if not tags:
        return Cardinalities({}, rows)
    counted = await connection.fetch(sql["tag_counts"], sorted(tags))
    return Cardinalities({(row["source_type"], row["tag_id"]): row["items"] for row in counted}, rows)
