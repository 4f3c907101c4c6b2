"""Findings: what a check saw, how bad it is, and what to do.

problem   answers are wrong, late or refused, or will be
warning   it works, and costs time or space it need not
note      worth knowing; nothing need be done
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["problem", "warning", "note"]
LEVELS: tuple[Level, ...] = ("problem", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check saw."""

    check: str
    level: Level
    said: str
    fix: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was seen, worst first, and the checks that could not be made, with the reason."""

    findings: tuple[Finding, ...]
    checks: int
    skipped: tuple[tuple[str, str], ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing need be done."""
        return all(finding.level == "note" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "checks": self.checks,
            "skipped": [{"check": check, "reason": reason} for check, reason in self.skipped],
        }
