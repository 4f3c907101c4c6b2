"""The API's small gallery and its callers serve these tests too."""

from __future__ import annotations

from api.conftest import gallery, token

__all__ = ["gallery", "token"]
