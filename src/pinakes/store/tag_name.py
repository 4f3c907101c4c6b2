"""Names of tags as administrators write them, for every way in; what a name may hold says `query/repair.py`."""

from __future__ import annotations

from pinakes.errors import InvalidContent
from pinakes.query import repair
from pinakes.store.limits import MAX_NAME

ALLOWED = f"1 to {MAX_NAME} characters that can be seen"
MAX_CATEGORY = 64
_HINT = "docs/search.md says what names of tags may hold."


def checked(name: str, field: str = "name") -> str:
    """`name` as it is stored.

    Raises:
        InvalidContent: it cannot be the name of a tag.
    """
    kept = repair.name(name)
    if not 1 <= len(kept) <= MAX_NAME:
        raise InvalidContent(f"{name[:60]!a} cannot be the name of a tag.", field=field, allowed=ALLOWED, hint=_HINT)
    return kept


def checked_category(category: str) -> str:
    """`category` as it is stored; empty is none.

    Raises:
        InvalidContent: it cannot be a category.
    """
    kept = repair.name(category)
    if len(kept) > MAX_CATEGORY:
        raise InvalidContent(
            f"{category[:60]!a} cannot be a category.",
            field="category",
            allowed=f"at most {MAX_CATEGORY} characters",
            hint=_HINT,
        )
    return kept
