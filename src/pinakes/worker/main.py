"""The worker as a process of its own: `python -m pinakes.worker.main`, settings from the environment."""

from __future__ import annotations

import asyncio
import logging
import signal

import uvloop

from pinakes.index.keeper import IndexKeeper
from pinakes.settings import Settings, load_settings
from pinakes.worker.loop import run


async def work(settings: Settings) -> None:
    """Keeps the read model and its index until SIGTERM or SIGINT; the work in hand is finished first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await asyncio.gather(run(settings, stop), IndexKeeper(settings).run(stop))


def main() -> None:
    """The process."""
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))


if __name__ == "__main__":
    main()
