"""The grammar of the search box, written down once: the parser runs it, the documentation prints it.

Spaces between pieces mean "and" and bind tighter than `or`. Whether a plain word is a tag is no
matter of grammar: that is asked when the query is given its meaning.
"""

from __future__ import annotations

import re
from functools import cache

FIELDS = ("tag", "by", "type", "source", "score", "created", "updated", "tags", "order")
"""Names that take a value, as `score:>0.5`."""

FLAGS = ("mine", "untagged", "asc", "desc")
"""Names that stand alone, as `mine:`."""

GRAMMAR = r"""
start: top (_OR top)* |
top: (part | order)+

group: union
union: all (_OR all)*
all: part+

part: signed | _ANY signed -> either
signed: NOT* atom
?atom: "(" group ")" | leaf

?leaf: WORD                        -> word
     | QUOTED                      -> text
     | _TAG (NAME | QUOTED)        -> tag
     | _BY (NAME | QUOTED)         -> by
     | _TYPE KIND                  -> type
     | _SOURCE NAME                -> source
     | _SCORE NUMBERS              -> score
     | _CREATED MOMENTS            -> created
     | _UPDATED MOMENTS            -> updated
     | _TAGS COUNTS                -> tags
     | MINE                        -> mine
     | UNTAGGED                    -> untagged

order: _ORDER SORT | ASC | DESC

_OR.3: /or(?=[\s()"|]|$)|\|/i
_ANY.3: /~(?=\S)/
NOT.3: /-(?=\S)/

_TAG.4: /tag:/i
_BY.4: /by:/i
_TYPE.4: /type:/i
_SOURCE.4: /source:/i
_SCORE.4: /score:/i
_CREATED.4: /created:/i
_UPDATED.4: /updated:/i
_TAGS.4: /tags:/i
_ORDER.4: /order:/i
MINE.4: /mine:(?=[\s()]|$)/i
UNTAGGED.4: /untagged:(?=[\s()]|$)/i
ASC.4: /asc:(?=[\s()]|$)/i
DESC.4: /desc:(?=[\s()]|$)/i

// A word may hold brackets that are closed in it, as mona_lisa_(painting); * stands for any letters.
WORD: /(?!(?i:or)(?=[\s()"|]|$))[^\s()"|~-][^\s()"|]*(\([^\s()"|]*\)[^\s()"|]*)*/
NAME.2: /[^\s()"]+(\([^\s()"]*\)[^\s()"]*)*/
QUOTED: /"(\\.|[^"\\])*"/s
KIND.2: /[a-z0-9][a-z0-9_.+\/-]{0,63}(?=[\s()]|$)/
SORT.2: /(created|updated|quality|score|title)(_at|_score)?(?=[\s()]|$)/i

NUMBERS.2: /((>=|<=|>|<)?N|N\.\.N?|\.\.N)(?=[\s()]|$)/
COUNTS.2: /((>=|<=|>|<)?C|C\.\.C?|\.\.C)(?=[\s()]|$)/
MOMENTS.2: /((>=|<=|>|<)?M|M\.\.(M)?|\.\.M)(?=[\s()]|$)/

%ignore /\s+/
"""

# What N, C and M stand for in the three terminals above.
NUMBER = r"[-+]?(?:[0-9]{1,400}(?:\.[0-9]{1,400})?|\.[0-9]{1,400})(?:[eE][-+]?[0-9]{1,4})?"
COUNT = r"[0-9]{1,9}"
MOMENT = (
    r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}"
    r"(?:[T_][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[-+][0-9]{2}:[0-9]{2})?)?)?)?"
)


def spelled_out() -> str:
    """The grammar as the parser takes it."""
    text = GRAMMAR
    for name, letter, pattern in (("NUMBERS", "N", NUMBER), ("COUNTS", "C", COUNT), ("MOMENTS", "M", MOMENT)):
        head, line, tail = text.partition(f"\n{name}.2: ")
        rule, rest = tail.split("\n", 1)
        text = f"{head}{line}{rule.replace(letter, pattern)}\n{rest}"
    return text


@cache
def values(terminal: str) -> re.Pattern[str]:
    """What a terminal of one line takes, whole."""
    line = re.search(rf"^{terminal}\.2: /(.*)/i?$", spelled_out(), re.MULTILINE)
    assert line is not None, f"the grammar has no terminal {terminal}"
    return re.compile(line[1], re.IGNORECASE)
