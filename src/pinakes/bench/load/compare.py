"""What the web server, the cache and its strategies are each worth, measured in one run on one gallery.

For each web server, in turns, a ladder over

    memory      the bytes of a page from a variable of the same application: the limit of the server
    page        the same page from the cache, over and over
    questions   many questions, popular ones most often, through the cache
    computed    the same questions, each computed anew

then, under the first of them, every strategy at one rate with writes beside it.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pinakes.bench.load.client import fetch
from pinakes.bench.load.questions import UNIFIED
from pinakes.bench.load.run import Plan, Target
from pinakes.bench.load.servers import Server, installed, serving, wrk
from pinakes.bench.load.step import Step
from pinakes.settings import Settings

PAGE = f"{UNIFIED}?page_size=25"
MEMORY = "/bench/memory"
WRK_S = 5
Strategy: TypeAlias = Literal["off", "ttl", "event", "hybrid"]
STRATEGIES: tuple[Strategy, ...] = ("off", "ttl", "event", "hybrid")

ROUTES: tuple[tuple[str, list[str] | None, bool], ...] = (
    ("memory", [MEMORY], True),
    ("page", [PAGE], True),
    ("questions", None, True),
    ("computed", None, False),
)
"""Name, paths (None: made from the gallery), and whether the cache may answer."""

Say = Callable[[str], None]


async def compare(
    settings: Settings, folder: Path, plan: Plan, *, start: float, rate: float, say: Say
) -> dict[str, Any]:
    """Everything, as figures. `start` is the foot of the ladders, `rate` what the strategies are asked at."""
    file = folder / "body"
    file.write_bytes(b"{}")
    quiet = dataclasses.replace(plan, writes_per_s=0.0)
    told: dict[str, Any] = {"machine": machine(), "plan": _plan(plan), "servers": {}, "strategies": {}}
    async with serving(settings, file) as url:
        file.write_bytes((await fetch(url, PAGE)).body)
    told["body_bytes"] = file.stat().st_size
    for server in installed():
        told["servers"][server] = await _server(settings, file, server, quiet, start=start, say=say)
    if "uvicorn" not in told["servers"]:
        say("uvicorn and httptools are not installed: only granian was measured")
    for strategy in STRATEGIES:
        chosen = settings.model_copy(update={"cache_strategy": strategy, "rate_limit_per_second": 0.0})
        async with serving(chosen, file) as url:
            target = Target(url, plan)
            await target.prepare()
            ladder = await target.at([rate], _sayer(say, f"strategy {strategy}"))
        told["strategies"][strategy] = target.told(ladder)
    told["machine"]["load_after"] = os.getloadavg()
    return told


async def _server(
    settings: Settings, file: Path, server: Server, plan: Plan, *, start: float, say: Say
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with serving(settings, file, server) as url:
        for name, paths, cache in ROUTES:
            target = Target(url, dataclasses.replace(plan, cache=cache))
            await target.prepare(paths)
            foot = start if cache else min(start, 20.0)
            found[name] = target.told(await target.climb(foot, _sayer(say, f"{server}, {name}")))
        for name, path in (("memory", MEMORY), ("page", PAGE)):
            found[name]["wrk_rate"] = await wrk(url + path, WRK_S, plan.connections)
    return found


def _sayer(say: Say, what: str) -> Callable[[Step], None]:
    return lambda step: say(f"{what}: {line(step)}")


def line(step: Step) -> str:
    """One step in words."""
    figures = step.as_dict()
    hits = sum(count for name, count in step.caches.items() if name in ("HIT", "STALE"))
    return (
        f"{figures['rate']:,}/s asked, {figures['achieved']:,}/s answered, p50 {_ms(figures['p50_ms'])}, "
        f"p99 {_ms(figures['p99_ms'])}, {figures['errors']} errors, {hits / max(step.sent, 1):.0%} hits"
    )


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f} ms"


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "load_before": os.getloadavg()}


def _plan(plan: Plan) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(plan).items() if name != "token"}
