"""Answers as JSON bytes. How items and pages are written is said once, in `pinakes.cache.body`."""

from __future__ import annotations

from pinakes.cache.body import item, tag, to_json

__all__ = ["item", "tag", "to_json"]
