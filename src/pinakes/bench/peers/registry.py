"""The peers by name; one whose library is not installed cannot take part."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pinakes.bench.contestant import Contestant, Unavailable
from pinakes.bench.peers.junction import JunctionPeer
from pinakes.bench.peers.matview import MatviewPeer
from pinakes.bench.peers.rum import RumPeer
from pinakes.bench.peers.sql_peer import SqlPeer
from pinakes.bench.peers.union import UnionPeer
from pinakes.settings import Settings

_IN_POSTGRESQL: dict[str, type[SqlPeer]] = {
    "union": UnionPeer,
    "junction": JunctionPeer,
    "matview": MatviewPeer,
    "rum": RumPeer,
}
# Name, which is also that of the library -> module and class. Imported only when asked for.
_OUTSIDE: dict[str, tuple[str, str]] = {
    "tantivy": ("tantivy_peer", "TantivyPeer"),
    "duckdb": ("duckdb_peer", "DuckdbPeer"),
}
PEERS: tuple[str, ...] = (*_IN_POSTGRESQL, *_OUTSIDE)


def make_peer(name: str, settings: Settings, timeout_ms: int, folder: Path) -> Contestant:
    """The peer called `name`. `timeout_ms`: how long an answer may take; `folder`: where its files may lie.

    Raises:
        Unavailable: its library is not installed.
    """
    if name in _IN_POSTGRESQL:
        return _IN_POSTGRESQL[name](settings, timeout_ms)
    if find_spec(name) is None:
        raise Unavailable(f"{name} is not installed (extra `bench`)")
    module, class_name = _OUTSIDE[name]
    peer: Contestant = getattr(import_module(f"pinakes.bench.peers.{module}"), class_name)(settings, timeout_ms, folder)
    return peer
