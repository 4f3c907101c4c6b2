"""Splice: finished bodies whose last few bytes change, in every encoding, compressed once.

A body is a long constant part and a short tail that is new for every answer (its age). The
constant part is compressed once; the tail is put behind it uncompressed, inside the same stream:

* `gzip`: the constant part is deflated and ended with a sync flush, so it stops at a byte; the tail
  follows as one final *stored* block, then the CRC, carried on from the constant part's, and length.
* `zstd`: the constant part is blocks of one frame, none marked as the last; the tail follows as one
  *raw* block that is. No checksum and no content size are written.

Both are one ordinary member or frame, which every decoder must read: nothing is concatenated and
nothing depends on a decoder's patience. Splicing costs about 2 µs, 15 bytes, and no decoding.
"""

from __future__ import annotations

import struct
import zlib
from typing import Literal, TypeAlias

import zstandard

Encoding: TypeAlias = Literal["identity", "gzip", "zstd"]

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_MAX_TAIL = 65_535
_ZSTD = zstandard.ZstdCompressionParameters.from_level(3, write_checksum=0, write_content_size=0, window_log=19)


def gzip_part(constant: bytes) -> bytes:
    """`constant` as the open beginning of a gzip stream, with what its end needs in front."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(constant) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return struct.pack("<II", zlib.crc32(constant), len(constant) & 0xFFFFFFFF) + _GZIP_HEAD + body


def gzip_finish(part: bytes, tail: bytes) -> bytes:
    """The whole gzip stream of `gzip_part`'s constant and `tail`."""
    crc, length = struct.unpack_from("<II", part)
    size = len(tail)
    end = struct.pack("<II", zlib.crc32(tail, crc), (length + size) & 0xFFFFFFFF)
    return b"".join((part[8:], struct.pack("<BHH", 1, size, size ^ _MAX_TAIL), tail, end))


def zstd_part(constant: bytes) -> bytes:
    """`constant`, which is not empty, as the open beginning of a zstd frame."""
    compressor = zstandard.ZstdCompressor(compression_params=_ZSTD).compressobj()
    return compressor.compress(constant) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def zstd_finish(part: bytes, tail: bytes) -> bytes:
    """The whole zstd frame of `zstd_part`'s constant and `tail`."""
    # Block header: 21 bits size, 2 bits type (0: raw), 1 bit last; little endian, 3 bytes.
    return b"".join((part, ((len(tail) << 3) | 1).to_bytes(3, "little"), tail))


def zstd_constant(part: bytes) -> bytes:
    """The constant part that `zstd_part` compressed."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(zstd_finish(part, b""))


def negotiate(accept_encoding: str) -> Encoding:
    """The best of zstd, gzip and identity that `accept_encoding` allows (RFC 9110, 12.5.3)."""
    allowed: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, _, parameters = item.strip().partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            key, _, value = parameter.strip().partition("=")
            if key == "q":
                quality = _number(value)
        allowed[name.strip()] = quality
    other = allowed.get("*", 0.0)
    best: Encoding = "identity"
    weight = 0.0
    for name in ("zstd", "gzip"):
        quality = allowed.get(name, other)
        if quality > weight:
            best, weight = name, quality  # type: ignore[assignment]
    return best if weight >= allowed.get("identity", 0.0) else "identity"


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
