"""The API's small gallery serves these tests too."""

from __future__ import annotations

from api.conftest import gallery

__all__ = ["gallery"]
