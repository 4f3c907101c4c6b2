"""`pinakes tags`, each command once, on a real database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from galleries import Gallery, store
from pinakes.cli.main import COMMANDS
from pinakes.query.sources import SOURCE_BY_NAME
from pinakes.store import content
from pinakes.store.content import Author, Draft
from pinakes.store.pool import Pool
from running import ROOT  # noqa: F401
