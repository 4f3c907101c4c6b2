"""The TCP connections that callers have to this process, as the kernel knows them.

A connection on which no request has arrived yet is nowhere in the application, and one whose caller does not
take the answer looks finished there: the web server holds the rest. The kernel knows both. `callers` looks at
every descriptor of the process: connections to a port that the process listens on are callers'. Reading the
figures of one takes some 3 µs (10,000 connections: 30 ms), in pieces of `PIECE` between which others run.

Linux only, by `TCP_INFO` (tcp(7)); `AVAILABLE` says whether it is there.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Peer: TypeAlias = tuple[str, str]
"""Address and port, as ASGI's `client` has them."""

AVAILABLE = sys.platform == "linux"
PIECE = 200
_ESTABLISHED, _CLOSE_WAIT, _LISTEN = 1, 8, 10
_INFO = struct.Struct("=B23xI16xI4xI64xQ16xI")
"""Of `struct tcp_info`: state, unacknowledged segments, ms since data was sent, and since some came, bytes
acknowledged, bytes not sent yet."""
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Caller:
    """One connection. `quiet_s`: since bytes went either way; `queued`: bytes wait to be taken by the caller."""

    descriptor: int
    peer: Peer
    quiet_s: float
    queued: bool
    acknowledged: int


def most_descriptors() -> int:
    """How many files and sockets this process may have open, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems allow less than they say
            return int(soft)
    return sys.maxsize if hard == resource.RLIM_INFINITY else int(hard)


def ports_listened_on() -> frozenset[int]:
    """The ports this process takes connections at."""
    kernel = _Kernel()
    found = (each for each in range(3, _table_size()) if kernel.state(each) == _LISTEN)
    return frozenset(port for each in found if (port := kernel.port(each)) is not None)


def callers(ports: frozenset[int]) -> Iterator[list[Caller]]:
    """The connections to `ports`, in pieces."""
    kernel = _Kernel()
    found: list[Caller] = []
    looked = 0
    for descriptor in range(3, _table_size()):
        looked += 1
        state = kernel.state(descriptor)
        if state in {_ESTABLISHED, _CLOSE_WAIT} and kernel.port(descriptor) in ports:
            peer = kernel.peer(descriptor)
            if peer is not None:
                found.append(kernel.caller(descriptor, peer))
        if looked >= PIECE:
            yield found
            found, looked = [], 0
    yield found


def close(caller: Caller, *, at_once: bool) -> bool:
    """Ends a connection, which its owner then sees as ended by the caller; `at_once` drops what it still holds.

    Whether it was still that connection: the number may be another's by now, so it is looked at through a copy.
    """
    try:
        with socket.socket(fileno=os.dup(caller.descriptor)) as copy:
            name = copy.getpeername()
            if (str(name[0]), str(name[1])) != caller.peer:
                return False
            if at_once:
                copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            copy.shutdown(socket.SHUT_RDWR)
    except (OSError, IndexError, TypeError):
        return False
    return True


def _table_size() -> int:
    """No open descriptor has a number as high. Listing them would let go of the interpreter at each."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("FDSize:")), 1024)


class _Kernel:
    """System calls by number of descriptor.

    Python's own release the interpreter for each call and then wait up to 5 ms to have it back from a busy
    event loop; these keep it for the microsecond they take.
    """

    def __init__(self) -> None:
        self._c = ctypes.PyDLL(None)
        self._info = ctypes.create_string_buffer(256)
        self._name = ctypes.create_string_buffer(128)

    def state(self, descriptor: int) -> int | None:
        """The state of a TCP connection, whose figures `caller` then has; None for anything else."""
        length = ctypes.c_int(len(self._info))
        told = self._c.getsockopt(descriptor, socket.IPPROTO_TCP, socket.TCP_INFO, self._info, ctypes.byref(length))
        return self._info.raw[0] if told == 0 and length.value >= _INFO.size else None

    def caller(self, descriptor: int, peer: Peer) -> Caller:
        """What `state` has just read."""
        _, unacknowledged, sent_ms, received_ms, acknowledged, unsent = _INFO.unpack_from(self._info)
        quiet_s = min(sent_ms, received_ms) / 1000
        return Caller(descriptor, peer, quiet_s, bool(unacknowledged or unsent), acknowledged)

    def port(self, descriptor: int) -> int | None:
        """The port at our end."""
        name = self._asked(self._c.getsockname, descriptor)
        return None if name is None else int(name[1])

    def peer(self, descriptor: int) -> Peer | None:
        """Who is at the other end."""
        return self._asked(self._c.getpeername, descriptor)

    def _asked(self, call: ctypes._NamedFuncPointer, descriptor: int) -> Peer | None:
        length = ctypes.c_int(len(self._name))
        if call(descriptor, self._name, ctypes.byref(length)) != 0:
            return None
        raw = self._name.raw
        family, port = int.from_bytes(raw[:2], sys.byteorder), str(int.from_bytes(raw[2:4], "big"))
        if family == socket.AF_INET:
            return socket.inet_ntop(family, raw[4:8]), port
        return (socket.inet_ntop(family, raw[8:24]), port) if family == socket.AF_INET6 else None
