"""Names and what they are compared by: two names with one key are one name.

`key` is Unicode's compatibility composition (NFKC) and full case folding, without characters that cannot be
seen, and with a space for `_`. So `Castle`, `CASTLE`, `ｃａｓｔｌｅ` and, of two words, `blue_sky` and `Blue Sky` are
one; so are `Straße` and `STRASSE`, `ﬁne` and `fine`, `ﾊﾝｶｸ` and `ハンカク`, `①` and `1`. The four letters i of Turkish
(`I`, `İ`, `i`, `ı`) are one, because nobody knows which alphabet a name is written in.

The database compares: its twin `pinakes_name_key()` fills the key of every tag and alias, whoever writes them. This one
is for what is typed, where names are in the process's memory already. The two agree on every character of Unicode
14; a newer Python may fold a newer letter sooner.
"""

from __future__ import annotations

import hashlib
import re
from unicodedata import normalize

MAX_KEY = 255

_IGNORABLE = re.compile(
    r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f\U000e0080-\U000e0fff]"
)


def key(name: str) -> str:
    """What `name` is compared by."""
    if name.isascii():
        folded = name.lower().replace("_", " ")
    else:
        folded = normalize("NFKC", _IGNORABLE.sub("", name)).casefold()
        folded = folded.replace("i\u0307", "i").replace("\u0131", "i")
        folded = normalize("NFKC", folded).replace("_", " ") or name
    if len(folded) > MAX_KEY:
        return folded[:191] + hashlib.sha256(folded.encode()).hexdigest()
    return folded
