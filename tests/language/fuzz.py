"""Throws texts at the parser: whatever comes, it answers with a question or with a query error.

    python -m language.fuzz 1000000        from the folder of the tests

A question is printed and parsed again, and must come back equal.
"""

from __future__ import annotations

import sys
from collections import Counter
from random import Random

from language import asked
from pinakes.errors import QueryError
from pinakes.query.language.parser import parse


def fuzz(count: int, seed: int = 0) -> Counter[str]:
    """How many of `count` texts were understood and how many refused; anything else raises."""
    rng = Random(seed)
    told: Counter[str] = Counter()
    for _ in range(count):
        text = asked.noise(rng)
        try:
            question = parse(text)
        except QueryError as error:
            position = error.extra.get("position", 0)
            assert 0 <= position <= len(text), text
            told[type(error).__name__] += 1
            continue
        again = parse(str(question))
        assert again == question, (text, str(question))
        assert str(again) == str(question), text
        told["understood"] += 1
    return told


if __name__ == "__main__":
    sys.stdout.write(f"{dict(fuzz(int(sys.argv[1])))}\n")
