"""Moments of the search box: a text stands for a period, as long as it is written precisely.

`2023` is a year, `2023-06` a month, `2023-06-17` a day, `2023-06-17T08:30` a minute, with seconds a
second, with a fraction its last digit's length. Without a time zone it is UTC. So `created:>2023`
begins with 2024 and `created:2023-01..2023-06` ends with June. Kept are half-open stretches of
time; they are written back as the longest periods that begin and end them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

FIRST = datetime(1, 1, 2, tzinfo=UTC)
LAST = datetime(9999, 12, 31, tzinfo=UTC)
ALLOWED = "a year, month, day or time from 0001-01-02 to 9999-12-30, such as 2023, 2023-06 or 2023-06-17T08:30"

_MICROSECOND = timedelta(microseconds=1)
_PARTS = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T_](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[-+]\d\d:\d\d)?)?)?)?"
)


def period(text: str) -> tuple[datetime, datetime]:
    """The first moment of the period `text` names, and the first after it, within what can be stored.

    Raises:
        ValueError: it names none, or one out of bounds.
    """
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    offset = _offset(zone) if zone else UTC
    whole = [int(part) for part in (year, month or 1, day or 1, hour or 0, minute or 0, second or 0)]
    try:
        start = datetime(*whole, int((fraction or "").ljust(6, "0")), tzinfo=offset)  # type: ignore[misc,arg-type]
        if month is None:
            stop = start.replace(year=start.year + 1) if start.year < LAST.year else LAST
        elif day is None:
            stop = _next_month(start)
        elif hour is None:
            stop = start + timedelta(days=1)
        elif second is None:
            stop = start + timedelta(minutes=1)
        else:
            stop = start + (_MICROSECOND * 10 ** (6 - len(fraction)) if fraction else timedelta(seconds=1))
        start, stop = max(start.astimezone(UTC), FIRST), min(stop.astimezone(UTC), LAST)
    except OverflowError as error:
        raise ValueError(text) from error
    if start >= stop:
        raise ValueError(text)
    return start, stop


def beginning(moment: datetime) -> str:
    """The longest period that begins at `moment`."""
    if moment == FIRST:
        return "0001-01-02"
    return _written(moment, moment)


def ending(moment: datetime) -> str:
    """The longest period that ends before `moment`."""
    return _written(moment, moment - _MICROSECOND)


def stretch(low: datetime, high: datetime) -> str:
    """One period, or two with `..` between them, from `low` until before `high`."""
    start, stop = beginning(low), ending(high)
    if period(stop)[0] == low:
        return stop
    if len(start) < len(stop) <= 10:
        start = low.isoformat()[: len(stop)]
    return f"{start}..{stop}"


def _written(boundary: datetime, inside: datetime) -> str:
    """The period whose boundary is `boundary` and that `inside` lies in."""
    text = inside.isoformat(timespec="microseconds")
    text = text.removesuffix("+00:00")
    if boundary.microsecond:
        return text + "Z"
    if boundary.second:
        return text[:19] + "Z"
    if boundary.hour or boundary.minute:
        return text[:16] + "Z"
    if boundary.day != 1 or boundary == LAST:
        return text[:10]
    return text[:4] if boundary.month == 1 else text[:7]


def _next_month(start: datetime) -> datetime:
    if start.month < 12:
        return start.replace(month=start.month + 1)
    return start.replace(year=start.year + 1, month=1) if start.year < LAST.year else LAST


def _offset(zone: str) -> timezone:
    if zone == "Z":
        return UTC
    hours, minutes = int(zone[1:3]), int(zone[4:])
    if minutes >= 60:
        raise ValueError(zone)
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if zone[0] == "-" else ahead)
