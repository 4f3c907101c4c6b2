"""The limit of the generator itself: it is pointed at a server that does nothing but answer.

That server gives the same bytes to whatever it is sent, without reading it; run as a module it is
a process of its own. What `pinakes load` finds of a server means something only well below this.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from pinakes import child


class _Echo(asyncio.Protocol):
    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self.answer * data.count(b"\r\n\r\n"))  # type: ignore[attr-defined]


async def _serve(size: int) -> None:
    _Echo.answer = f"HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n".encode() + b"x" * size
    server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    # Ends with whoever started it: that closes the pipe.
    await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def answering(size: int) -> AsyncIterator[str]:
    """The address of a server that answers everything with `size` bytes, in a process of its own."""
    process = await child.start(__name__, str(size), stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
