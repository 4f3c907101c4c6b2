"""Entries: a finished answer with what is needed to judge it, in one Redis string.

    magic      4  `PKc2`
    epoch      8  the epoch of the snapshot that computed it
    created    8  Redis' time when that snapshot was about to be taken, ms
    behind     4  how long before `created` what it says was known to be all there was, ms
    ttl        4  seconds from then, jitter included
    cost       4  what computing it took, ms; early refresh weighs it
    flags      1  1: computed from exactly the state of its epoch
    etag      12  digest of what the answer says
    length     4  of the body up to its tail
    lengths   12  of the canonical text, the zstd part and the gzip part
    then these three, one after the other

The body is stored twice compressed and not at all plain: 20 kB of JSON are 3 kB each way, and
unpacking 20 kB costs 20 µs, about what sending them would.

The tail of a body is `,"_from_cache":…,"_cached_at":…,"_cache_ttl":…,"_cache_age_seconds":…}`; a
`constant` therefore ends before its last brace.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from pinakes.cache import splice
from pinakes.cache.splice import Encoding

_HEAD = struct.Struct("<4sQQIIIB12sIIII")
FORGIVEN_MS = 1000
"""So far may an answer be from the future: two processes round Redis' time, each its own way."""
_MAGIC = b"PKc2"
_EXACT = 1
_UNCACHED = b',"_from_cache":false,"_cached_at":null,"_cache_ttl":null,"_cache_age_seconds":null}'


class Entry:
    """One stored answer. Its body up to the tail is kept as it came and turned into other encodings on demand."""

    __slots__ = (
        "_bodies", "_constant", "_gzip", "_second", "_zstd",
        "behind_ms", "cost_ms", "created_ms", "epoch", "etag", "exact", "length", "text", "ttl_s",
    )  # fmt: skip

    def __init__(
        self,
        *,
        text: str,
        epoch: int,
        created_ms: int,
        ttl_s: int,
        cost_ms: int,
        exact: bool,
        etag: bytes,
        behind_ms: int = 0,
        constant: bytes | None = None,
        zstd: bytes | None = None,
        gzip: bytes | None = None,
        length: int = 0,
    ) -> None:
        self.text = text
        self.epoch = epoch
        self.created_ms = created_ms
        self.behind_ms = min(behind_ms, 2**32 - 1)
        self.ttl_s = ttl_s
        self.cost_ms = cost_ms
        self.exact = exact
        self.etag = etag[:12].ljust(12, b"\0")
        self.length = length if constant is None else len(constant)
        self._constant, self._zstd, self._gzip = constant, zstd, gzip
        # Bodies of the current second, by encoding: what is asked often is put together once a second.
        self._second = (-1, False)
        self._bodies: dict[Encoding, bytes] = {}

    def compress(self) -> None:
        """Does now what is otherwise done on demand; a body beyond 64 kB belongs in a thread."""
        assert self.zstd
        assert self.gzip

    @property
    def constant(self) -> bytes:
        """The body up to the tail."""
        if self._constant is None:
            assert self._zstd is not None
            self._constant = splice.zstd_constant(self._zstd)
        return self._constant

    @property
    def zstd(self) -> bytes:
        """`constant` as an open zstd frame."""
        if self._zstd is None:
            self._zstd = splice.zstd_part(self.constant)
        return self._zstd

    @property
    def gzip(self) -> bytes:
        """`constant` as an open gzip stream."""
        if self._gzip is None:
            self._gzip = splice.gzip_part(self.constant)
        return self._gzip

    def pack(self) -> bytes:
        """The bytes stored in Redis."""
        text = self.text.encode()
        head = _HEAD.pack(
            _MAGIC, self.epoch, self.created_ms, self.behind_ms, self.ttl_s, self.cost_ms,
            _EXACT if self.exact else 0, self.etag, self.length, len(text), len(self.zstd), len(self.gzip),
        )  # fmt: skip
        return b"".join((head, text, self.zstd, self.gzip))

    @classmethod
    def unpack(cls, data: bytes, text: str) -> Entry | None:
        """The entry in `data`; None if it is damaged, of another format or of another question than `text`."""
        if len(data) < _HEAD.size:
            return None
        magic, epoch, created, behind, ttl, cost, flags, etag, length, n_text, n_zstd, n_gzip = _HEAD.unpack_from(data)
        start = _HEAD.size + n_text
        if magic != _MAGIC or len(data) != start + n_zstd + n_gzip or data[_HEAD.size : start] != text.encode():
            return None
        return cls(
            text=text, epoch=epoch, created_ms=created, behind_ms=behind,
            ttl_s=ttl, cost_ms=cost, exact=bool(flags & _EXACT), etag=etag,
            length=length, zstd=data[start : start + n_zstd], gzip=data[start + n_zstd :],
        )  # fmt: skip

    @property
    def full_size(self) -> int:
        """Bytes it takes in memory once it was asked for in every encoding, roughly."""
        return 2 * (len(self._zstd or b"") + len(self._gzip or b"") + self.length) + len(self.text) + 1500

    @property
    def right_ms(self) -> int:
        """The latest time, Redis', of which what it says is known to be right."""
        return self.created_ms - self.behind_ms

    def age_s(self, now_ms: int) -> int:
        """Whole seconds since it was computed."""
        return max(now_ms - self.created_ms, 0) // 1000

    def expired(self, now_ms: int) -> bool:
        """Whether its time to live is over, or nobody can say because the clock was set back since it was made."""
        return not -FORGIVEN_MS <= now_ms - self.created_ms < self.ttl_s * 1000

    def tail(self, now_ms: int, *, from_cache: bool) -> bytes:
        """The changing end of the body; without a time to live the answer was not for keeping."""
        if not self.ttl_s:
            return _UNCACHED
        at = datetime.fromtimestamp(self.created_ms / 1000, UTC).isoformat(timespec="milliseconds")
        hit, age = ("true", self.age_s(now_ms)) if from_cache else ("false", 0)
        times = f'"_cached_at":"{at[:-6]}Z","_cache_ttl":{self.ttl_s},"_cache_age_seconds":{age}'
        return f',"_from_cache":{hit},{times}}}'.encode()

    def body(self, encoding: Encoding, now_ms: int, *, from_cache: bool) -> bytes:
        """The finished body; those of one second are made once."""
        second = (self.age_s(now_ms), from_cache)
        if second != self._second:
            self._second, self._bodies = second, {}
        body = self._bodies.get(encoding)
        if body is None:
            body = self._bodies[encoding] = self._make(encoding, self.tail(now_ms, from_cache=from_cache))
        return body

    def _make(self, encoding: Encoding, tail: bytes) -> bytes:
        match encoding:
            case "zstd":
                return splice.zstd_finish(self.zstd, tail)
            case "gzip":
                return splice.gzip_finish(self.gzip, tail)
            case _:
                return self.constant + tail
