"""Names of tags as administrators write them: checked once, for every way in."""

from __future__ import annotations

from pinakes.errors import InvalidContent

ALLOWED = "1 to 255 characters, no control characters"
MAX_CATEGORY = 64


def checked(name: str, field: str = "name") -> str:
    """`name` without space around it.

    Raises:
        InvalidContent: it cannot be the name of a tag.
    """
    name = name.strip()
    if not 1 <= len(name) <= 255 or not _storable(name):
        raise InvalidContent(f"{name[:60]!r} cannot be the name of a tag.", field=field, allowed=ALLOWED)
    return name


def checked_category(category: str) -> str:
    """`category` without space around it; empty is none.

    Raises:
        InvalidContent: it cannot be a category.
    """
    category = category.strip()
    if len(category) > MAX_CATEGORY or not _storable(category):
        raise InvalidContent(
            f"{category[:60]!r} cannot be a category.", field="category", allowed=f"at most {MAX_CATEGORY} characters"
        )
    return category


def _storable(text: str) -> bool:
    """No control characters, and no half of a surrogate pair."""
    return all(ord(letter) >= 32 and not 0x7F <= ord(letter) < 0xA0 for letter in text) and not any(
        0xD800 <= ord(letter) < 0xE000 for letter in text
    )
