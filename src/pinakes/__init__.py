"""Pinakes serves huge tagged galleries from PostgreSQL: exact totals, any page, any sort."""

from __future__ import annotations

__version__ = "0.1.0"
