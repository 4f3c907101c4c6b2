"""`pinakes`, the command line.

Every command is a module of this package with a `command`; it is imported when it is called, so
that `pinakes token` does not wait for the web framework.

Exit codes: 0 done; 1 an error of ours, message and hint on stderr; 2 wrong usage; 128 and the
signal's number when interrupted (`demo` and `serve`: 0, there it is how one ends them).
"""

from __future__ import annotations

import os
from importlib import import_module

import click

from pinakes import __version__
from pinakes.cli.common import Failure
from pinakes.errors import PinakesError

# Name on the command line -> module of this package, in the order of `pinakes --help`.
COMMANDS: dict[str, str] = {
    "demo": "demo",
    "serve": "serve",
    "migrate": "migrate",
    "import": "import_",
    "export": "export",
    "worker": "worker",
    "view": "view",
    "tags": "tags",
    "index": "index",
    "cache": "cache",
    "check": "check",
    "load": "load",
    "advise": "advise",
    "bench": "bench",
    "doctor": "doctor",
    "token": "token",
}


class Commands(click.Group):
    """The group that loads its commands late and shows our errors properly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in our order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command."""
        if cmd_name not in COMMANDS:
            return None
        # numpy's threads for matrices, which nobody here multiplies, spin for 0.1 s when a process starts.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        found = import_module(f"pinakes.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; its PinakesError becomes a message."""
        try:
            return super().invoke(ctx)
        except PinakesError as error:
            raise Failure(error) from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pinakes")
def main() -> None:
    """Pinakes: huge tagged galleries from PostgreSQL.

    Without a database URL, commands use the embedded PostgreSQL and Redis of --data-dir, also while a
    demo runs on them. docs/configuration.md lists all settings.
    """


if __name__ == "__main__":
    main()
