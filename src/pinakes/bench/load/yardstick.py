"""The child that serves the application with its yardstick routes: `python -m … granian|uvicorn PORT`.

Not by the commands of the web servers: those put the working directory before all other places of modules.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_HOST = "127.0.0.1"


def _application() -> Any:
    return import_module("pinakes.api.yardstick").app()


def main(server: str, port: int) -> None:
    """Serves until it is ended."""
    if server == "uvicorn":
        import_module("uvicorn").run(
            _application,
            factory=True,
            host=_HOST,
            port=port,
            loop="uvloop",
            http="httptools",
            access_log=False,
            log_level="error",
        )
        return
    from granian import Granian  # noqa: PLC0415 - for the child only
    from granian.constants import Interfaces, Loops  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    Granian(
        "the application",
        address=_HOST,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        loop=Loops.uvloop,
        log_level=LogLevels.error,
    ).serve(target_loader=_application, wrap_loader=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
