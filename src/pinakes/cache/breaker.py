"""A circuit breaker: after a failure nobody waits for Redis again until a probe got through.

One failure opens it, for a request may lose its time limit once and no more. While open, only the
caller that asks with `probe=True` (the mirror's poll, never a request) is let through; a success
closes it. It holds no timer and no task: the poll is there anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True)
class Breaker:
    """Whether Redis may be asked now."""

    now: Callable[[], float] = monotonic
    open: bool = field(default=False, init=False)
    opened: int = field(default=0, init=False)
    """How often it opened."""
    last_error: str = field(default="", init=False)
    _since: float = field(default=0.0, init=False)

    def allows(self, *, probe: bool = False) -> bool:
        """Whether a caller may try."""
        return probe or not self.open

    def failed(self, reason: str) -> None:
        """A try did not get through."""
        self.last_error = reason
        if not self.open:
            self.open, self.opened, self._since = True, self.opened + 1, self.now()

    def succeeded(self) -> None:
        """A try got through."""
        self.open = False

    @property
    def open_seconds(self) -> float:
        """For how long it has been open; 0 when it is closed."""
        return self.now() - self._since if self.open else 0.0
