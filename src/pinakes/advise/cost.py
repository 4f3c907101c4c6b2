"""What each part costs: as measured where it is there, else projected by what others took.

    read model   970 bytes an item, built at 4,000 items/s; a whole refresh 30 µs an item
    index        39 + 156 (items / 100,000)^-0.56 bytes an item; built in 9.6 µs of processor time an item
    cache        what Redis is allowed, and what each process keeps

(Generated and real galleries of 50,000 to ten million items, some twelve tags an item, on two
cores that were busy with other work too. The law of the index goes through what 20,000 tags took: 195 bytes an
item at 100,000 items, 82 at a million, 51 at ten million; every term costs a row, which more items share.)
"""

from __future__ import annotations

import math

from pinakes.advise.facts import Facts
from pinakes.advise.rules import Part
from pinakes.advise.words import seconds, size

VIEW_BYTES = 970
VIEW_ITEMS_PER_S = 4_000
REFRESH_S = 30e-6
INDEX_S = 9.6e-6


def index_bytes(items: int) -> float:
    """Bytes of the bitmap index of so many items, by the law above."""
    return items * (39.0 + 156.0 * math.pow(max(items, 1) / 100_000, -0.56))


def cost(part: Part, f: Facts) -> str:
    """What `part` costs this installation, in disk, memory and time."""
    match part:
        case "cache":
            where = "the web server process" if f.processes == 1 else f"each of {f.processes} web server processes"
            return f"memory: {size(f.cache_bytes)} in Redis, {size(f.process_bytes)} in {where}"
        case "read model":
            disk = size(f.view_bytes) if f.view_bytes else f"about {size(VIEW_BYTES * f.items)}"
            refresh = seconds(f.refresh_s) if f.refresh_s is not None else f"about {seconds(REFRESH_S * f.items)}"
            build = "" if f.view_bytes else f", about {seconds(f.items / VIEW_ITEMS_PER_S)} to build"
            later = "" if f.refresh_s_at_10x is None else f" ({seconds(f.refresh_s_at_10x)} at ten times the items)"
            return f"disk: {disk}{build}; a whole refresh {refresh}{later}, policy incremental by what changed only"
        case "index":
            disk = size(f.index_bytes) if f.index else f"about {size(index_bytes(f.items))}"
            build = "" if f.index else f", about {seconds(INDEX_S * f.items)} to build on a core of its own"
            return f"disk: {disk}{build}; memory: up to {size(f.index_memory_bytes)} in each process"
        case "memory":
            return f"memory: up to {size(f.index_bytes)} in each process"
        case "server" | "nothing":
            return "nothing more"
