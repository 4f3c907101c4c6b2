"""The small gallery of the API's tests, here too."""

from __future__ import annotations

from api.conftest import gallery

__all__ = ["gallery"]
