"""Pictures that are drawn for items without one, from their tags: the same item always has the same picture.

    address(source, id, words) -> /art/3/sea_sunset_clear_oil_ship/1a2b3c.svg

What is drawn stands in the address: a scene, a light, a weather, a medium, at most two motifs (`features`), and a
seed for everything left open. So a picture needs no database and hides no secret, its address never means
another picture, and it may be kept for ever. `VERSION` changes when the drawing does.
"""

from __future__ import annotations

import hashlib

from pinakes.memory import remembered
from pinakes.web.art.features import Features, read_features

VERSION = 1
PATH = "/art/{version}/{features}/{seed}.svg"
_SEED_BITS = 24


@remembered("picture addresses", 4 * 2**20)
def address(source: int, item_id: int, words: tuple[str, ...]) -> str:
    """Where the picture of an item is; `words` are its title and tags, the telling ones first."""
    digest = hashlib.blake2b(b"%d.%d" % (source, item_id), digest_size=_SEED_BITS // 8)
    return PATH.format(version=VERSION, features=read_features(words, digest.digest()[0]), seed=digest.hexdigest())


__all__ = ["PATH", "VERSION", "Features", "address"]
