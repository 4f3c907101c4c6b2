"""The web server as a child process: Granian, with settings from the environment.

`serving` starts it and returns when it answers; from then on it is kept. Run as a module, this is the child.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from pinakes.api.connections import most_connections
from pinakes.cli.children import PORT_BUSY_EXIT, Children
from pinakes.cli.common import status
from pinakes.cli.lifeline import end_with_parent
from pinakes.errors import EmbeddedError, PortBusy, SettingsError
from pinakes.settings import load_settings

APPLICATION = "pinakes.web.asgi:app"
START_S = 60.0
BACKLOG = 4096
"""Connections that wait to be taken; Linux takes `net.core.somaxconn`, usually 4096, at most."""
LINGER_S = 10.0
RESPAWN_S = 0.3
"""How soon a process that died is followed by another; requests wait that much longer."""


def resolve(host: str) -> str:
    """The numeric address to listen on."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise SettingsError(f"host: {host} is not an address of this machine: {error.strerror}") from error
    return str(found[0][4][0])


def url(address: str, port: int) -> str:
    """Where a browser on this machine reaches it; a server on all addresses is reached on loopback."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        parsed = ipaddress.ip_address("127.0.0.1" if parsed.version == 4 else "::1")
    return f"http://[{parsed}]:{port}" if parsed.version == 6 else f"http://{parsed}:{port}"


async def claim_port(address: str, port: int, *, patience_s: float = 0.0) -> socket.socket:
    """A socket bound to the port, which so stays ours until we close it; nobody can connect to it.

    `patience_s` is for a predecessor that is just ending. Raises PortBusy.
    """
    deadline = asyncio.get_running_loop().time() + patience_s
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        claimed = socket.socket(family, socket.SOCK_STREAM)
        claimed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            claimed.bind((address, port))
        except OSError as error:
            claimed.close()
            if error.errno != errno.EADDRINUSE:
                raise SettingsError(f"Nothing can listen on {address}, port {port}: {error.strerror}") from error
            if asyncio.get_running_loop().time() > deadline:
                raise PortBusy(f"Port {port} on {address} is taken by another program") from error
            await asyncio.sleep(0.05)
        else:
            return claimed


async def serving(children: Children, address: str, port: int) -> None:
    """Starts the web server among `children` and waits until it answers."""
    await children.start("web", __name__)
    watch = asyncio.ensure_future(children.watch())
    ready = asyncio.ensure_future(_answers(address, port))
    try:
        done, _ = await asyncio.wait({watch, ready}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise EmbeddedError(f"The web server does not answer on port {port}{children.last_words()}")
        for task in done:
            await task
        children.keep("web")
    finally:
        for task in (watch, ready):
            task.cancel()
            with suppress(asyncio.CancelledError, EmbeddedError):
                await task


async def _answers(address: str, port: int) -> None:
    """Returns when a request for /healthz is answered, however."""
    host = url(address, port).removeprefix("http://").rsplit(":", 1)[0].strip("[]")
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if (await reader.readline()).startswith(b"HTTP/1.1 2"):
                    return
            finally:
                writer.close()
        await asyncio.sleep(0.05)


def _application() -> Any:
    """The application. The web server's own way to find it puts the working directory before all other modules."""
    module, _, name = APPLICATION.partition(":")
    return getattr(import_module(module), name)()


def main() -> None:
    """The child: serves until it is ended."""
    end_with_parent()
    from granian import Granian  # noqa: PLC0415 - for the child only
    from granian.constants import HTTPModes, Interfaces, Loops  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    settings = load_settings()
    try:
        asyncio.run(claim_port(settings.host, settings.port)).close()
    except PortBusy as error:
        status(error.detail)
        sys.exit(PORT_BUSY_EXIT)
    most = most_connections(settings)
    if most < settings.max_connections:
        status(f"The system allows {most:,} connections a process, not max-connections; see ulimit -n")
    # What is wrong with the application ends us here, instead of worker after worker.
    import_module(APPLICATION.partition(":")[0])
    Granian(
        APPLICATION,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=settings.workers,
        # HTTP/1 alone: without encryption browsers speak nothing else, it needs no look at a connection's first bytes
        # (for which there is no time limit), and a connection is one request at a time.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.idle_timeout_seconds * 1000)),
        websockets=False,
        backlog=BACKLOG,
        backpressure=most,
        loop=Loops.uvloop,
        log_level=LogLevels(settings.log_level),
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_S,
        workers_kill_timeout=10,
    ).serve(target_loader=_application, wrap_loader=False)


if __name__ == "__main__":
    main()
