"""`GET /metrics`: figures in the text format of Prometheus, from one table that docs/metrics.md is generated from.

What concerns the installation (the read model) is the same whichever process is asked. What one
process counted has the label `process`, its number, since a scrape reaches any of them: sum over it.
Figures of the read model are read once in `VIEW_S` at most, however often they are scraped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from pinakes.api.connections import REASONS, Connections
from pinakes.api.limits import RateLimit
from pinakes.api.state import State, may_see_statistics, state_of
from pinakes.audit.sampler import Sampler
from pinakes.cache.core import ResultCache
from pinakes.cache.report import health
from pinakes.figures.histogram import PER_OCTAVE, Histogram, upper_s
from pinakes.figures.recorder import Recorder
from pinakes.memory import held
from pinakes.store.pool import BoundedPool, translate_errors
from pinakes.view.epoch import POLICIES
from pinakes.view.status import Status, read_status

PATH = "/metrics"
VIEW_S = 5.0

Value: TypeAlias = "float | Histogram"
Sample: TypeAlias = tuple[str, tuple[str, ...], Value]
"""The name of a family, the values of its labels, the figure."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its kind, what it says, and its labels."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    said: str
    labels: tuple[str, ...] = ()


_PROCESS = ("process",)

FAMILIES: tuple[Family, ...] = (
    Family("pinakes_answer_seconds", "histogram", "Pages given, by where they came from", ("source", "process")),
    Family("pinakes_engine_seconds", "histogram", "Pages computed, by engine; `failed`: none", ("engine", "process")),
    Family("pinakes_write_seconds", "histogram", "Items written, by kind of write", ("kind", "process")),
    Family("pinakes_first_asked", "counter", "Pages computed that nobody had asked for in ten minutes", _PROCESS),
    Family("pinakes_cache_events", "counter", "What the cache did, by kind of question", ("event", "kind", "process")),
    Family("pinakes_cache_trusted", "gauge", "1 while stored answers are given", _PROCESS),
    Family("pinakes_cache_redis_up", "gauge", "1 while Redis answers", _PROCESS),
    Family("pinakes_cache_breaker_opened", "counter", "How often Redis was left alone", _PROCESS),
    Family("pinakes_cache_publisher_lag_seconds", "gauge", "Age of the confirmation of the clocks", _PROCESS),
    Family("pinakes_cache_process_bytes", "gauge", "Bytes of answers the process holds", _PROCESS),
    Family("pinakes_cache_process_entries", "gauge", "Answers the process holds", _PROCESS),
    Family("pinakes_memory_bytes", "gauge", "Bytes a process remembers, by kind", ("memory", "process")),
    Family("pinakes_memory_limit_bytes", "gauge", "Bytes it may remember, by kind", ("memory", "process")),
    Family("pinakes_memory_entries", "gauge", "Things it remembers, by kind", ("memory", "process")),
    Family("pinakes_memory_evictions", "counter", "Things it let go to stay below the limit", ("memory", "process")),
    Family("pinakes_audit_answers", "counter", "Answers from the cache that were computed again", _PROCESS),
    Family("pinakes_audit_contradictions", "counter", "Those that were wrong: must be 0", _PROCESS),
    Family(
        "pinakes_connections", "gauge", "Callers' connections: `working` on a request, or `idle`", ("state", "process")
    ),
    Family("pinakes_connections_most", "gauge", "How many it takes", _PROCESS),
    Family(
        "pinakes_connections_closed",
        "counter",
        "Closed by us: `unread` answers, `crowded` out, or for `memory`",
        ("reason", "process"),
    ),
    Family("pinakes_connections_unread_bytes", "gauge", "Bytes of answers that callers have not taken", _PROCESS),
    Family("pinakes_rate_limit_units", "counter", "Units of work that callers were charged", _PROCESS),
    Family("pinakes_rate_limit_refused", "counter", "Requests refused: their caller had no units left", _PROCESS),
    Family("pinakes_pool_wanted", "gauge", "Requests that have a connection or wait for one", _PROCESS),
    Family("pinakes_pool_refused", "counter", "Requests refused because too many waited for a connection", _PROCESS),
    Family("pinakes_view_staleness_seconds", "gauge", "How old the read model is now"),
    Family("pinakes_view_worst_staleness_seconds", "gauge", "How old it gets under its policy"),
    Family("pinakes_view_epoch", "gauge", "The epoch readers see"),
    Family("pinakes_view_waiting_changes", "gauge", "Changes not applied yet, counted to a limit"),
    Family("pinakes_view_oldest_waiting_seconds", "gauge", "Age of the oldest of them"),
    Family("pinakes_view_items", "gauge", "Items in the read model, by statistics"),
    Family("pinakes_view_bytes", "gauge", "Bytes of the read model with its indexes"),
    Family("pinakes_view_base_bytes", "gauge", "Bytes of the tables it is made from"),
    Family("pinakes_view_epoch_seconds_median", "gauge", "Median time of the last epochs"),
    Family("pinakes_view_epoch_seconds_max", "gauge", "Longest time of the last epochs"),
    Family("pinakes_view_last_refresh_seconds", "gauge", "Time of the last refresh or build"),
    Family("pinakes_view_last_refresh_changes", "gauge", "Changes in the last refresh or build"),
    Family("pinakes_view_policy", "gauge", "1 for the policy in force", ("policy",)),
)

_SERIES = {
    "answer": "pinakes_answer_seconds",
    "engine": "pinakes_engine_seconds",
    "write": "pinakes_write_seconds",
}


async def metrics(request: Request) -> Response:
    """The figures of the installation and of this process."""
    may_see_statistics(request)
    state = state_of(request)
    at, view = getattr(request.app.state, "view_metrics", (float("-inf"), b""))
    if time.monotonic() - at > VIEW_S:
        view = exposition(of_the_view(await _status(state)))
        request.app.state.view_metrics = (time.monotonic(), view)
    process = str(os.getpid())
    own = [*of_the_process(state.service.figures, process), *of_the_cache(state.service.cache, process)]
    own += of_the_memories(process)
    own += of_the_audit(state.audit, process)
    own += of_the_pool(state.pool, process)
    own += of_the_rate_limit(state.rate_limit, process)
    own += of_the_connections(state.connections, process)
    return Response(view + exposition(own), headers={"cache-control": "no-store"}, media_type=CONTENT_TYPE_LATEST)


def of_the_process(recorder: Recorder, process: str) -> Iterator[Sample]:
    """What was counted since the process started."""
    for series, histogram in recorder.totals().items():
        part, _, name = series.partition(":")
        if part in _SERIES:
            yield _SERIES[part], (name, process), histogram
        elif series == "asked:first":
            yield "pinakes_first_asked", (process,), histogram.count


def of_the_memories(process: str) -> Iterator[Sample]:
    """What the process remembers, kind by kind."""
    for name, memory in held().items():
        yield "pinakes_memory_bytes", (name, process), memory.bytes
        yield "pinakes_memory_limit_bytes", (name, process), memory.limit
        yield "pinakes_memory_entries", (name, process), memory.entries
        yield "pinakes_memory_evictions", (name, process), memory.evictions


def of_the_audit(audit: Sampler, process: str) -> Iterator[Sample]:
    """How many answers were computed again, and how many of them were wrong."""
    yield "pinakes_audit_answers", (process,), audit.audited
    yield "pinakes_audit_contradictions", (process,), audit.contradicted


def of_the_pool(pool: BoundedPool, process: str) -> Iterator[Sample]:
    """Who has a connection or waits for one, and who was turned away."""
    yield "pinakes_pool_wanted", (process,), pool.wanted
    yield "pinakes_pool_refused", (process,), pool.refused


def of_the_rate_limit(limit: RateLimit, process: str) -> Iterator[Sample]:
    """What callers were charged, and how many were refused."""
    yield "pinakes_rate_limit_units", (process,), limit.spent
    yield "pinakes_rate_limit_refused", (process,), limit.refused


def of_the_connections(connections: Connections | None, process: str) -> Iterator[Sample]:
    """How many callers are connected, and who was sent away."""
    if connections is None:
        return
    yield "pinakes_connections", ("working", process), connections.open - connections.idle
    yield "pinakes_connections", ("idle", process), connections.idle
    yield "pinakes_connections_most", (process,), connections.most
    for reason in REASONS:
        yield "pinakes_connections_closed", (reason, process), connections.closed[reason]
    yield "pinakes_connections_unread_bytes", (process,), connections.unread_bytes


def of_the_cache(cache: ResultCache | None, process: str) -> Iterator[Sample]:
    """What the cache of this process did, and whether it is in use."""
    if cache is None:
        return
    for name, count in sorted(cache.counters.snapshot().items()):
        event, _, kind = name.partition(":")
        yield "pinakes_cache_events", (event, kind, process), count
    told = health(cache)
    lag_ms = told["publisher_lag_ms"]
    for name, value in (
        ("trusted", told["state"] == "ok"),
        ("redis_up", told["redis"] == "ok"),
        ("breaker_opened", told["breaker_opened"]),
        ("publisher_lag_seconds", float("nan") if lag_ms is None else lag_ms / 1000),
        ("process_bytes", cache.l1.bytes),
        ("process_entries", len(cache.l1)),
    ):
        yield f"pinakes_cache_{name}", (process,), value


def of_the_view(found: Status) -> Iterator[Sample]:
    """The state of the read model."""
    figures = {
        "staleness_seconds": found.staleness_s,
        "worst_staleness_seconds": found.worst_staleness_s or float("nan"),
        "epoch": found.epoch,
        "waiting_changes": found.waiting,
        "oldest_waiting_seconds": found.oldest_waiting_s,
        "items": found.items,
        "bytes": found.view_bytes,
        "base_bytes": found.base_bytes,
        "epoch_seconds_median": found.epochs.median_s,
        "epoch_seconds_max": found.epochs.slowest_s,
    }
    if found.refreshes:
        figures["last_refresh_seconds"] = found.refreshes[0].seconds
        figures["last_refresh_changes"] = found.refreshes[0].items_changed
    yield from ((f"pinakes_view_{name}", (), value) for name, value in figures.items())
    yield from (("pinakes_view_policy", (policy,), policy == found.policy) for policy in POLICIES)


def exposition(samples: Iterator[Sample] | list[Sample]) -> bytes:
    """`samples`, all of families of the table, as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(list(samples)))
    return generate_latest(registry)


class _Fixed(Collector):
    """Metrics that are what they are."""

    def __init__(self, samples: list[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """One metric for each family that has samples."""
        for family in FAMILIES:
            mine = [(labels, value) for name, labels, value in self._samples if name == family.name]
            if not mine:
                continue
            if family.kind == "histogram":
                histogram = HistogramMetricFamily(family.name, family.said, labels=family.labels)
                for labels, value in mine:
                    assert isinstance(value, Histogram)
                    histogram.add_metric(labels, _buckets(value), value.seconds)
                yield histogram
                continue
            kind = GaugeMetricFamily if family.kind == "gauge" else CounterMetricFamily
            made = kind(family.name, family.said, labels=family.labels)
            for labels, value in mine:
                assert not isinstance(value, Histogram)
                made.add_metric(labels, value)
            yield made


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """One bucket each time the duration doubles: 10 µs, 20 µs, … as Prometheus counts them, from zero up."""
    found: list[tuple[str, float]] = []
    count = 0
    for cell, number in enumerate(histogram.cells):
        count += number
        if cell % PER_OCTAVE == 0:
            found.append((f"{upper_s(cell):.6g}", count))
    found[-1] = ("+Inf", count)  # the last cell also holds what took longer
    return found


async def _status(state: State) -> Status:
    with translate_errors():
        async with state.pool.acquire() as connection:
            return await read_status(connection, state.settings)
