"""Search terms in web-search syntax, over the words of title and prompt.

    search  = group *( "or" group )         any of the groups; `or` in any case
    group   = 1*item                        all of the items
    item    = [ "-" ] ( word | phrase )     `-` directly before it: not
    phrase  = DQUOTE *any ( DQUOTE | end )  its words next to each other

Every other character only separates: `%`, `_`, `*` and quotes left open mean nothing special, so
there is no wildcard to leak. What a word is, `pinakes.query.text` says; a piece like `don't` or
`3/4` holds several and is read as a phrase. A piece without any word (`%%%`) can be found in no
text, so it matches nothing; its negation excludes nothing. A blank search asks nothing.
"""

from __future__ import annotations

import re

from pinakes.query import formula as f
from pinakes.query.formula import Formula
from pinakes.query.text import words

_PIECE = re.compile(r'(-?)"([^"]*)(?:"|$)|(\S+)')


def parse_search(text: str) -> Formula:
    """The formula of a search term; never fails."""
    groups: list[list[Formula]] = [[]]
    for found in _PIECE.finditer(text):
        minus, quoted, bare = found.groups()
        if bare is not None:
            if bare.lower() == "or":
                groups.append([])
                continue
            minus, quoted = ("-", bare[1:]) if bare.startswith("-") and len(bare) > 1 else ("", bare)
        pieces = words(quoted)
        asked = f.phrase(pieces) if pieces else f.NOTHING
        groups[-1].append(f.negate(asked) if minus else asked)
    filled = [f.conj(group) for group in groups if group]
    return f.disj(filled) if filled else f.EVERYTHING
