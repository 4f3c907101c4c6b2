"""PostgreSQL and Redis that Pinakes runs itself, for the demo, the tests and every command without a database URL.

    async with await EmbeddedServers.start(data_dir) as servers:
        servers.database_url, servers.redis_url

Several processes may use one data directory at once: the first starts the servers, the last one
stops them, and servers left by a killed process are taken over by the next.
"""

from __future__ import annotations

from pinakes.embedded.connect import connected
from pinakes.embedded.directory import DataDirectory, Secrets
from pinakes.embedded.servers import EmbeddedServers

__all__ = ["DataDirectory", "EmbeddedServers", "Secrets", "connected"]
