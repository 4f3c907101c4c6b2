"""From a contest's journal to figures: percentiles by contestant, by kind, by place, and ratios.

A late answer counts with the time that was waited for it, so percentiles beyond it are lower bounds;
`late` says how many there are. Ratios compare two contestants on the questions both were asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from pinakes.bench.draw import Ask

PERCENTILES = (50, 95, 99, 100)
Entry: TypeAlias = Mapping[str, Any]


def latency(times: Sequence[float]) -> dict[str, float]:
    """Count, median and tails, milliseconds."""
    if not times:
        return {"n": 0}
    p50, p95, p99, most = (round(float(value), 3) for value in np.percentile(times, PERCENTILES))
    return {"n": len(times), "p50": p50, "p95": p95, "p99": p99, "max": most}


def of_contestant(entries: Iterable[Entry], asks: Sequence[Ask]) -> dict[str, Any]:
    """The figures of one contestant."""
    by_number = {ask.number: ask for ask in asks}
    phases: dict[str, list[float]] = defaultdict(list)
    warm: list[tuple[Ask, float]] = []
    stages: dict[str, list[float]] = defaultdict(list)
    late = 0
    for entry in entries:
        phase = str(entry["phase"]).partition(" ")[0]
        phases[phase].append(entry["ms"])
        late += bool(entry["late"])
        if phase == "warm":
            warm.append((by_number[entry["ask"]], entry["ms"]))
            for stage, ms in entry.get("stages", {}).items():
                stages[stage].append(ms)
    return {
        "asked": len(phases["first"]),
        "late": late,
        **{phase: latency(phases[phase]) for phase in ("first", "warm", "cold")},
        "warm_by": {
            "kind": _split(warm, lambda ask: ask.kind),
            "place": _split(warm, lambda ask: ask.place),
            "sort": _split(warm, lambda ask: f"{ask.query.sort_field} {ask.query.sort_order}"),
            "viewer": _split(warm, lambda ask: "anonymous" if ask.query.viewer is None else "somebody"),
        },
        "warm_stages": {stage: latency(times) for stage, times in stages.items()},
        "warm_ms": sorted(round(ms, 3) for _, ms in warm),
        "cold_ms": sorted(round(ms, 3) for ms in phases["cold"]),
    }


def ratios(entries: Iterable[Entry], first: str, phase: str = "warm") -> list[dict[str, Any]]:
    """How many times longer each other contestant takes than `first`, on the questions both were asked."""
    times: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if str(entry["phase"]).partition(" ")[0] == phase:
            times[entry["name"]][entry["ask"]].append(entry["ms"])
    found = []
    for name, other in times.items():
        common = sorted(times[first].keys() & other.keys())
        if name == first or not common:
            continue
        mine = [ms for ask in common for ms in times[first][ask]]
        theirs = [ms for ask in common for ms in other[ask]]
        each = [float(np.median(other[ask]) / np.median(times[first][ask])) for ask in common]
        found.append(
            {
                "name": name,
                "questions": len(common),
                "p50": _ratio(theirs, mine, 50),
                "p99": _ratio(theirs, mine, 99),
                "median_of_questions": round(float(np.median(each)), 2),
                "faster_on": sum(ratio < 1 for ratio in each),
            }
        )
    return found


def _ratio(theirs: Sequence[float], mine: Sequence[float], percentile: int) -> float:
    return round(float(np.percentile(theirs, percentile) / np.percentile(mine, percentile)), 2)


def _split(times: Iterable[tuple[Ask, float]], part: Callable[[Ask], str]) -> dict[str, dict[str, float]]:
    parts: dict[str, list[float]] = defaultdict(list)
    for ask, ms in times:
        parts[part(ask)].append(ms)
    return {name: latency(parts[name]) for name in sorted(parts)}
