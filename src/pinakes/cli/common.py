"""What the commands share: options for where the data is, running async code, progress, and how errors end."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pinakes.errors import PinakesError
from pinakes.settings import Settings, load_settings

P = ParamSpec("P")
T = TypeVar("T")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Directory of the embedded servers and their data.  [default: pinakes-data]",
)


def connection_options(command: Callable[Concatenate[Settings, P], T]) -> Callable[P, T]:
    """Adds --data-dir, --database-url and --redis-url; the command gets the `settings` they lead to.

    Servers run after `connected(settings)` only: without a database URL the embedded ones.
    """

    @data_dir_option
    @click.option("--database-url", metavar="URL", help="PostgreSQL to use instead (better: PINAKES_DATABASE_URL).")
    @click.option("--redis-url", metavar="URL", help="Redis to use instead (better: PINAKES_REDIS_URL).")
    @functools.wraps(command)
    def with_settings(*args: P.args, **options: P.kwargs) -> T:
        where = {name: options.pop(name, None) for name in ("data_dir", "database_url", "redis_url")}
        return command(load_settings(**where), *args, **options)

    return with_settings


def status(message: str) -> None:
    """Tells the person what is going on; on stderr, since stdout is for results."""
    click.echo(f"{message} …", err=True)


def run_async(work: Coroutine[Any, Any, T], *, exit_code: int | None = None) -> T:
    """Runs `work` to its end. Ctrl-C, SIGTERM and SIGHUP cancel it, once, so that it can clean up.

    An interrupted command exits with `exit_code`, by default 128 and the signal's number.
    """
    received: list[signal.Signals] = []

    async def cancellable() -> T:
        task = asyncio.ensure_future(work)

        def interrupt(number: signal.Signals) -> None:
            if not received:
                task.cancel()
            received.append(number)

        on_signals(interrupt)
        return await task

    # What it says in the background of a lost server, the next statement says as an error.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(cancellable())
    except asyncio.CancelledError:
        if not received:
            raise
        raise click.exceptions.Exit(128 + received[0] if exit_code is None else exit_code) from None


def on_signals(handler: Callable[[signal.Signals], None]) -> None:
    """Has the running loop call `handler` with each signal that ends a command, in place of any other handler."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        # nohup ignores SIGHUP and means it; a script ignores SIGINT for what it starts with `&`, out of habit.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, handler, number)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, shown from the first call of the function given, with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def advance(done: int, total: int) -> None:
            task = bar.task_ids[0] if bar.task_ids else bar.add_task(what)
            bar.update(task, completed=done, total=total)

        yield advance


class Failure(click.ClickException):
    """One of our errors, shown as message and hint."""

    def __init__(self, error: PinakesError) -> None:
        super().__init__(error.detail)
        self.error = error

    def show(self, file: Any = None) -> None:
        """Writes it to stderr."""
        click.echo(f"Error: {self.error.detail} [{self.error.code}]", file=file, err=file is None)
        allowed = self.error.extra.get("allowed")
        if allowed:
            allowed = [allowed] if isinstance(allowed, str) else allowed
            click.echo(f"Allowed: {', '.join(map(str, allowed))}", file=file, err=file is None)
        if self.error.advice:
            click.echo(f"Hint: {self.error.advice}", file=file, err=file is None)
