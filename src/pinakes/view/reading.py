"""Reading from the read model: is it there, whose snapshot is it, and the items of a page.

`hold` comes first in every snapshot. A snapshot older than an exchange would find the new relation
under the name, without any of its rows; so the epoch row names the relation that belongs to the
snapshot, and `hold` compares it with the one it now keeps until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pinakes.errors import ReadModelNotReady
from pinakes.query.fieldset import COMPLETE, Rules
from pinakes.query.item import Item, Tag
from pinakes.settings import Settings
from pinakes.store.activity import Activities
from pinakes.store.large import with_large
from pinakes.store.pool import Connection
from pinakes.store.queries import load
from pinakes.store.standing import sole_row
from pinakes.view import epoch as epochs
from pinakes.view.definition import COLUMNS
from pinakes.view.epoch import Epoch, as_epoch, read_epoch

DEFAULT_STALENESS_S = 30.0
MEND = "run `pinakes worker`, or `pinakes serve --worker`"
_SHOWN = tuple(column for column in COLUMNS if column not in {"source_type", "tags"})


async def hold(connection: Connection) -> Epoch:
    """The epoch of this snapshot; the relation stays under its name until the transaction ends.

    Raises:
        ReadModelNotReady: there is no read model, or it was exchanged after this snapshot was taken.
    """
    if (await read_epoch(connection)).policy is None:
        raise ReadModelNotReady("There is no read model yet.")
    row = sole_row(await connection.fetchrow(epochs.SQL["read_for_answer"]))
    if not row["intact"]:
        raise ReadModelNotReady("The read model was exchanged while this query began.", hint="Try again.")
    return as_epoch(row)


def followed_staleness_s(settings: Settings) -> float:
    """The age, in seconds, up to which `auto` asks what follows the epochs as they come, such as the bitmap index."""
    return DEFAULT_STALENESS_S if settings.max_staleness_seconds is None else settings.max_staleness_seconds


def max_staleness_s(settings: Settings, state: Epoch) -> float:
    """How old the read model may be before `auto` turns away from it."""
    if settings.max_staleness_seconds is not None:
        return settings.max_staleness_seconds
    if state.policy == "periodic":
        return max(2 * settings.refresh_interval_seconds, DEFAULT_STALENESS_S)
    if state.policy == "event":
        return max(2 * settings.event_max_wait_seconds, DEFAULT_STALENESS_S)
    return DEFAULT_STALENESS_S


def require_young(age_s: float, allowed_s: float) -> None:
    """Raises: ReadModelNotReady, where what is to be read is older than allowed."""
    if age_s > allowed_s:
        raise ReadModelNotReady(f"The read model is {age_s:.0f} s old; {allowed_s:.0f} s are allowed.")


def warning(settings: Settings, state: Epoch, doing: Activities | None = None) -> str | None:
    """What is to be said of a read model that is too old to be read, and how to mend it; None of any other.

    `doing`: what is under way, which may be why.
    """
    if state.policy is None or state.age_s <= max_staleness_s(settings, state):
        return None
    if doing is not None and (doing.under_way or doing.kept):
        why = str(doing) or "many changes wait, and the worker is at work on them"
        return (
            f"The read model is {state.age_s:.0f} s old: {why}. "
            "Until it is up to date engine auto does not read it, and answers come from the tables."
        )
    return (
        f"The read model is {state.age_s:.0f} s old and nobody seems to keep it: {MEND}. "
        "Until then engine auto does not read it, and answers come from the tables."
    )


async def hydrate(connection: Connection, keys: Sequence[tuple[int, int]], rules: Rules = COMPLETE) -> list[Item]:
    """The items behind `keys` (source code, id) as the read model shows them, in that order.

    From the read model, not from the base tables: an item that became private a moment ago must
    not be shown with its new contents because its old version was public. `rules` say which large values are read.
    """
    if not keys:
        return []
    rows = await connection.fetch(_hydrate_sql(rules), [source for source, _ in keys], [item_id for _, item_id in keys])
    return [
        Item(
            source=row["source_type"],
            **{column: row[column] for column in _SHOWN},
            omitted=tuple(row["omitted"] or ()),
            tags=tuple(
                Tag(*tag)
                for tag in zip(row["tag_ids"] or (), row["tag_names"] or (), row["tag_categories"] or (), strict=True)
            ),
        )
        for row in rows
    ]


@cache
def _hydrate_sql(rules: Rules) -> str:
    return with_large(load("reading", "pinakes.view.sql")["hydrate"], "stored", rules, "cardinality($2::bigint[])")
