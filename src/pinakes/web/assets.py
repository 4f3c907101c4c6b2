"""Assets: the style sheet, the scripts and pictures of the pages themselves, from memory.

    /static/<digest of all of them>/<name>

All share one digest, so a module finds its neighbours by relative names, and one changed byte gives
all of them new addresses: they may be kept for ever. An address with another digest (a page from
before an update still asks for it) gets what there is now, to be kept for a minute. Together some
dozens of kilobytes, compressed once at start.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from pinakes.errors import NoSuchRoute

PATH = "/static/{digest}/{name}"
FOR_EVER = "public, max-age=31536000, immutable"

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and compressed."""

    media_type: str
    plain: bytes
    packed: bytes


def _read() -> dict[str, Asset]:
    found = {}
    for file in sorted(files("pinakes.web").joinpath("static").iterdir(), key=lambda each: each.name):
        suffix = file.name.rpartition(".")[2]
        if suffix in _TYPES:
            plain = file.read_bytes()
            found[file.name] = Asset(_TYPES[suffix], plain, gzip.compress(plain, 9, mtime=0))
    return found


ASSETS = _read()
DIGEST = hashlib.blake2b(b"\0".join(name.encode() + asset.plain for name, asset in ASSETS.items()), digest_size=8)
_CURRENT = DIGEST.hexdigest()


def address(name: str) -> str:
    """Where the asset of this name is; a name that is none is an error of ours."""
    assert name in ASSETS, name
    return PATH.format(digest=_CURRENT, name=name)


async def give(request: Request) -> Response:
    """An asset."""
    asset = ASSETS.get(request.path_params["name"])
    if asset is None:
        raise NoSuchRoute("There is no such file.")
    current = request.path_params["digest"] == _CURRENT
    headers = {
        "cache-control": FOR_EVER if current else "public, max-age=60",
        "vary": "accept-encoding",
        "content-type": asset.media_type,
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.plain, headers=headers)
