"""At most one demo serves a data directory; the second is told where the first one is."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pinakes.embedded.directory import DataDirectory, translate_os_errors, try_lock
from pinakes.errors import DemoRunning

ADDRESS_FILE = "demo-address"


@dataclass(frozen=True, slots=True)
class OneDemo:
    """The right to be the demo of a directory; `predecessor_was_killed` if the last one did not end in order."""

    directory: DataDirectory
    predecessor_was_killed: bool

    @classmethod
    @contextmanager
    def of(cls, directory: DataDirectory) -> Iterator[OneDemo]:
        """The right, as long as the context lasts. Raises DemoRunning naming the other's address."""
        file = directory.path / ADDRESS_FILE
        with translate_os_errors(f"{directory.path} cannot be locked"):
            lock = os.open(directory.path / "demo.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not try_lock(lock, fcntl.LOCK_EX):
                where = file.read_text() if file.exists() else "an address it has not said yet"
                raise DemoRunning(f"A demo already serves {directory.path} at {where}")
            try:
                yield cls(directory, file.exists())
            finally:
                # Asked again: the directory may have been renamed, and another be in its place.
                if directory.exists():
                    (directory.path / ADDRESS_FILE).unlink(missing_ok=True)
        finally:
            os.close(lock)

    def announce(self, url: str) -> None:
        """Notes where this demo is, for the next to read."""
        file = self.directory.path / ADDRESS_FILE
        with translate_os_errors(f"{file} cannot be written"):
            file.write_text(url)
