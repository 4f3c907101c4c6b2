"""When a burst of writes is refreshed: a trailing debounce with a maximum wait, as a pure function.

A refresh is due `quiet` after the last write, but no later than `max_wait` after the first write
that is not refreshed yet. So a burst of any size makes one refresh, and a trickle that never
pauses still gets one every `max_wait`. A later write never makes a refresh due earlier, so
whoever has computed a moment may sleep until then and look again.

A write from the future was made before the clock was set back, and nobody knows when: it is due now.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def due_at(first: datetime, last: datetime, *, now: datetime, quiet_s: float, max_wait_s: float) -> datetime:
    """When the writes between `first` and `last` are to be refreshed, it being `now`."""
    if last > now:
        return now
    return min(last + timedelta(seconds=quiet_s), first + timedelta(seconds=max_wait_s))
