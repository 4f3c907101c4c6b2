"""What is asked: paths of gallery pages, some asked often and many seldom.

Made from the tags of the gallery itself, so that any server can be asked, by a seed. Of every
hundred different questions 40 have one tag, 20 two that some item has, 15 either of two, 10 one but
not the other, 15 none; pages 1 to 3, any order. Question n is asked in proportion to 1 / n (Zipf), as
people do; with `uniform` all alike.
"""

from __future__ import annotations

import bisect
import itertools
import random
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlencode

import orjson

UNIFIED = "/api/v1/content/unified"
SORTS = ("created_at", "created_at", "created_at", "quality_score", "title")


def make(items: list[dict[str, object]], count: int, rng: random.Random) -> list[str]:
    """`count` different paths about the tags of `items`, which are as the API gives them."""
    tags, together = _tags(items)
    paths: dict[str, None] = {}
    for _ in range(count * 20):
        if len(paths) == count:
            break
        paths[f"{UNIFIED}?{urlencode(_question(tags, together, rng))}"] = None
    return list(paths)


def _tags(items: list[dict[str, object]]) -> tuple[list[str], list[tuple[str, str]]]:
    """Names, most frequent first, and pairs that stand on one item."""
    seen: Counter[str] = Counter()
    pairs: list[tuple[str, str]] = []
    for item in items:
        listed = item.get("tags")
        names = [str(tag["name"]) for tag in listed] if isinstance(listed, list) else []
        seen.update(names)
        pairs += itertools.islice(itertools.combinations(names, 2), 5)
    return [name for name, _ in seen.most_common()], pairs


def _question(tags: list[str], together: list[tuple[str, str]], rng: random.Random) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    kind = rng.random() if tags else 1.0
    one, other = (rng.choice(tags), rng.choice(tags)) if tags else ("", "")
    if kind < 0.4:
        told = [("tags_all", one)]
    elif kind < 0.6 and together:
        told = [("tags_all", name) for name in rng.choice(together)]
    elif kind < 0.75:
        told = [("tags_any", one), ("tags_any", other)]
    elif kind < 0.85 and one != other:
        told = [("tags_all", one), ("tags_none", other)]
    sort = rng.choice(SORTS)
    if sort != "created_at":
        told.append(("sort_field", sort))
    if (page := rng.choice((1, 1, 1, 2, 3))) > 1:
        told.append(("page", page))
    return told


def get(path: str, authority: str, headers: dict[str, str]) -> bytes:
    """The bytes of one GET."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {authority}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def write(method: str, path: str, authority: str, token: str, body: object = None) -> bytes:
    """The bytes of one write."""
    content = b"" if body is None else orjson.dumps(body)
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {authority}",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def draw(requests: list[bytes], rng: random.Random, *, uniform: bool = False) -> Callable[[], bytes]:
    """A function that gives the next request, the first ones most often."""
    weights = [1.0 if uniform else 1 / (place + 1) for place in range(len(requests))]
    total = list(itertools.accumulate(weights))
    # Drawn beforehand, some hundred thousand: drawing costs the client more than sending.
    drawn = itertools.cycle([requests[bisect.bisect(total, rng.random() * total[-1])] for _ in range(100_003)])
    return lambda: next(drawn)
