"""Repair: which characters names and texts may hold, and what is done about the others. One rule for every door.

The API, the forms, the importer, the CSV of tags and the commands store what these functions return, so a
gallery's own export is never refused. What can be repaired is repaired, and whoever wrote is told.

    name    tags, aliases, categories, usernames: as `text`, and one line. White space becomes single spaces, none
            at the ends; what cannot be seen is removed. "" where nothing is left
    text    titles, prompts: Unicode NFC; no control characters but tab and line breaks, no marks that turn the
            direction of what follows (U+202A-202E, U+2066-2069), no noncharacters
    path    addresses of pictures: no control characters, direction marks, noncharacters. Not NFC: the bytes name a file
    data    `content_data`, texts inside objects: what PostgreSQL cannot hold. U+0000 is removed, half a surrogate
            pair becomes U+FFFD

External ids are opaque: they are compared byte by byte and kept as they are, or refused where PostgreSQL
cannot hold them, because a repair could make one of two.

Removed from names as not to be seen: Unicode's default-ignorable characters (zero-width space, soft hyphen, direction
marks, fillers, …). Three kinds of them mean something and stay there: U+200C and U+200D between letters of scripts
that join (Arabic, the scripts of India and their neighbours), U+200D between pictographs, and variation selectors
behind a character. Each function is idempotent. Printable ASCII, nearly everything there is, costs one comparison.
"""

from __future__ import annotations

import re
from unicodedata import is_normalized, normalize

_NONCHARACTERS = r"\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}-{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 17)
)
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_TURNING = r"\u202a-\u202e\u2066-\u2069"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NO_TEXT = re.compile(f"[{_CONTROLS}{_TURNING}{_NONCHARACTERS}]")
_NO_PATH = re.compile(f"[\\t\\n\\r{_CONTROLS}{_TURNING}{_NONCHARACTERS}]")

# White space of every kind, and U+2800, which is drawn as nothing.
_SPACES = re.compile(r"[\s\u2800]+")
# What is left of Unicode's Default_Ignorable_Code_Point and format characters after the joiners and selectors below.
_UNSEEN = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# A flag of a region is a black flag, letters of the block of tags, and the end of a tag: these are seen.
_NO_NAME = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]+\U000e007f)"
    f"|[{_CONTROLS}{_TURNING}{_NONCHARACTERS}{_UNSEEN}]"
)
_JOINING = (
    r"\u0600-\u109f\u1700-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    r"\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_PICTURES = r"\xa9\xae\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_JOINER = re.compile(
    f"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])|(?<=[{_PICTURES}\ufe0f\U000e007f])\u200d(?=[{_PICTURES}])"
    "|([\u200c\u200d])"
)
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_LONE_SELECTOR = re.compile(f"(^|\\s)[{_SELECTORS}]+")


def name(written: str) -> str:
    """`written` as a name: one line of what can be seen. Empty where nothing of it can be."""
    if written.isascii() and written.isprintable() and "  " not in written:
        return written.strip(" ")
    before = None
    shown = _SPACES.sub(" ", _paired(written))
    while shown != before:
        before = shown
        shown = _NO_NAME.sub(_kept, shown)
        shown = _JOINER.sub(lambda found: "" if found[1] else found[0], shown)
        shown = _LONE_SELECTOR.sub(r"\1", shown)
        shown = _SPACES.sub(" ", normalize("NFC", shown)).strip(" ")
    return shown


def text(written: str) -> str:
    """`written` as a title or prompt."""
    # What has no control, format or unassigned character is printable; a regular expression takes 20 times as long.
    if not written.isprintable() and not _without_breaks(written).isprintable():
        written = _NO_TEXT.sub("", _paired(written))
    return written if written.isascii() or is_normalized("NFC", written) else normalize("NFC", written)


def path(written: str) -> str:
    """`written` as the address of a picture."""
    return written if written.isascii() and written.isprintable() else _NO_PATH.sub("", _paired(written))


def data(written: str) -> str:
    """`written` as PostgreSQL can hold it."""
    return _paired(written).replace("\0", "") if not written.isascii() or "\0" in written else written


def is_storable(written: str) -> bool:
    """Whether PostgreSQL can hold `written` as it is."""
    return "\0" not in written and (written.isascii() or _SURROGATE.search(written) is None)


def _without_breaks(written: str) -> str:
    return written.replace("\n", "").replace("\t", "").replace("\r", "")


def _kept(found: re.Match[str]) -> str:
    return found[1] or ""


def _paired(written: str) -> str:
    """`written` with surrogates that are a pair as the character they mean, and U+FFFD for any other."""
    if _SURROGATE.search(written) is None:
        return written
    return written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
