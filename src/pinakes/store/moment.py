"""Moments: dates and times as people write them, ISO 8601 only.

`2024-05-17`, `2024-05-17T08:30`, `2024-05-17 08:30:00.25Z`, `20240517T083000+02:00`. A date is its
first moment; without a time zone it is UTC. Everything is kept between `FIRST` and `LAST`, which
leaves a day at both ends of the calendar so that no time zone can push a moment off it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 31, tzinfo=UTC)

ALLOWED = "an ISO 8601 date or date-time from 0001-01-02 to 9999-12-30; without time zone it is UTC"


# What fromisoformat would take besides, such as any letter between date and time, is no ISO 8601.
_CHARACTERS = re.compile(r"[-0-9WTZ:., +]+")


def parse_moment(text: str) -> datetime:
    """`text` as a moment in UTC.

    Raises:
        ValueError: it is none, or is out of bounds.
    """
    if _CHARACTERS.fullmatch(text) is None:
        raise ValueError("not ISO 8601")
    return bounded(datetime.fromisoformat(text))


def bounded(moment: datetime) -> datetime:
    """`moment` in UTC.

    Raises:
        ValueError: it is out of bounds.
    """
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of the calendar") from error
    if not FIRST <= moment < LAST:
        raise ValueError("out of bounds")
    return moment
