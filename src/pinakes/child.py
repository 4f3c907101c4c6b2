"""Processes of Python that ours start: the one way to start one.

    command("pinakes.index.part", "3")          the words of a command line
    await start("pinakes.index.part", "3", …)   a process of asyncio
    spawning()                                  a multiprocessing context

A module that lies in the working directory and is named like one of ours, of a library's or the standard
library's must never run as it. So every child has Python's option -P (no working directory among the places
of modules), and so have its own children: the flag is handed down, and PYTHONSAFEPATH says the same to those that
are started in another way. A test finds other ways of starting Python.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import SpawnContext
from typing import Any

SAFE_PATH = {"PYTHONSAFEPATH": "1"}


def command(module: str, *words: str) -> list[str]:
    """The command line that runs `module`."""
    return [sys.executable, "-P", "-m", module, *words]


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: ours, or just `variables`."""
    return {**(os.environ if variables is None else variables), **SAFE_PATH}


async def start(
    module: str, *words: str, variables: Mapping[str, str] | None = None, **options: Any
) -> asyncio.subprocess.Process:
    """Runs `module` with `words`; `variables` instead of our environment; `options` are those of asyncio."""
    return await asyncio.create_subprocess_exec(*command(module, *words), env=environment(variables), **options)


def spawning() -> SpawnContext:
    """A context whose processes begin as new ones of Python."""
    os.environ.update(SAFE_PATH)  # before it unpacks our sys.path, such a process imports from its own
    return multiprocessing.get_context("spawn")
