"""What the embedded PostgreSQL is told to do differently from its defaults, and why.

Durability is left alone: fsync, full_page_writes and synchronous_commit stay on, so figures
measured here are those of an honest server. Sizes follow the memory there is, of the machine or of
the container; PostgreSQL touches memory only as it uses it, so a small gallery stays small.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

FILE = "pinakes.conf"
_MB = 1024 * 1024
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory() -> int:
    """Bytes of memory we may use: the machine's, or the container's limit."""
    total: int = psutil.virtual_memory().total
    for path in _CGROUP_LIMITS:
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):  # no such controller, or the word "max"
            continue
    return total


def configuration(sockets: Path, free_disk: int) -> str:
    """The text of the configuration file, for this machine."""
    ram = memory() // _MB
    small_shm = not _shared_memory_holds(512 * _MB)
    values = {
        # Reached through the socket only, by the owner and root only.
        "listen_addresses": "''",
        "unix_socket_directories": f"'{sockets}'",
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        # A quarter of memory caches pages; the system's cache has most of the rest.
        "shared_buffers": f"{max(64, min(ram // 4, 8192))}MB",
        "effective_cache_size": f"{max(128, ram * 6 // 10)}MB",
        "maintenance_work_mem": f"{max(32, min(ram // 16, 1024))}MB",
        # More would only take turns on the same cores.
        "max_parallel_workers": str(os.cpu_count() or 1),
        "work_mem": f"{max(4, min(ram // 400, 64))}MB",
        # Solid-state disks: a random page costs about what a sequential one does.
        "random_page_cost": "1.1",
        "effective_io_concurrency": "64",
        # Queries here take milliseconds; compiling them takes more.
        "jit": "off",
        # Nobody copies this server by its log, so what is built in one transaction (an index, a
        # materialized view) goes to disk once, before the commit, instead of twice.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        # Loading writes much log: fewer checkpoints, where the disk allows. Page images uncompressed:
        # pglz cost as much time as building the index they came from.
        "max_wal_size": f"{max(256, min(free_disk // _MB // 10, 4096))}MB",
        "min_wal_size": "80MB",
        "checkpoint_timeout": "15min",
        # Small containers have 64 MB of /dev/shm, too little for parallel queries.
        "dynamic_shared_memory_type": "mmap" if small_shm else "posix",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] '",
        "log_lock_waits": "on",
    }
    lines = [f"{name} = {value}" for name, value in values.items()]
    return "\n".join(["# Written by Pinakes at every start; ALTER SYSTEM overrules it.", *lines, ""])


def _shared_memory_holds(needed: int) -> bool:
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108 - asked about, not written to
    except OSError:
        return True  # not Linux
    return found.f_blocks * found.f_frsize >= needed
