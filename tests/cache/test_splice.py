"""Spliced bodies are ordinary streams: every decoder gives back constant and tail."""

from __future__ import annotations

import gzip
import io
import zlib

import httpx
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pinakes.cache import splice
from pinakes.cache.entry import Entry

SIZES = [1, 2, 1000, 65_535, 131_072, 131_073, 400_000]


def body_of(size: int) -> bytes:
    return (b'{"items":[' + b",".join(b'{"id":%d,"title":"sea %d"}' % (n, n * 7919) for n in range(size // 20 + 1)))[
        :size
    ]


@pytest.mark.parametrize("size", SIZES)
def test_one_gzip_member(size: int) -> None:
    constant, tail = body_of(size), b',"_from_cache":true}'
    whole = splice.gzip_finish(splice.gzip_part(constant), tail)
    assert gzip.decompress(whole) == constant + tail
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert decoder.decompress(whole) == constant + tail
    assert decoder.eof
    assert decoder.unused_data == b""


@pytest.mark.parametrize("size", SIZES)
def test_one_zstd_frame(size: int) -> None:
    constant, tail = body_of(size), b',"_from_cache":true}'
    part = splice.zstd_part(constant)
    whole = splice.zstd_finish(part, tail)
    decoder = zstandard.ZstdDecompressor().decompressobj()
    assert decoder.decompress(whole) == constant + tail
    assert decoder.eof
    assert decoder.unused_data == b""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(whole)) as reader:
        assert reader.read() == constant + tail
    assert splice.zstd_constant(part) == constant


@given(st.binary(min_size=1, max_size=5000), st.binary(max_size=300))
def test_any_bytes_come_back(constant: bytes, tail: bytes) -> None:
    assert gzip.decompress(splice.gzip_finish(splice.gzip_part(constant), tail)) == constant + tail
    frame = splice.zstd_finish(splice.zstd_part(constant), tail)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(frame) == constant + tail


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_httpx_reads_it_byte_by_byte(encoding: splice.Encoding) -> None:
    entry = Entry(
        text="q",
        epoch=3,
        created_ms=1_700_000_000_000,
        ttl_s=60,
        cost_ms=1,
        exact=True,
        etag=b"e",
        constant=body_of(30_000),
    )
    body = entry.body(encoding, 1_700_000_012_345, from_cache=True)

    class Slowly(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield from (body[i : i + 7] for i in range(0, len(body), 7))

    headers = {} if encoding == "identity" else {"content-encoding": encoding}
    response = httpx.Response(200, headers=headers, stream=Slowly())
    text = response.read().decode()
    assert text.startswith(body_of(30_000).decode())
    assert text.endswith(
        ',"_from_cache":true,"_cached_at":"2023-11-14T22:13:20.000Z","_cache_ttl":60,"_cache_age_seconds":12}'
    )


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0", "identity"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("identity, gzip;q=0.5", "identity"),
        ("br", "identity"),
        ("gzip;q=nonsense", "identity"),
    ],
)
def test_negotiation(accepted: str, chosen: str) -> None:
    assert splice.negotiate(accepted) == chosen


def test_an_entry_survives_packing_and_only_its_own_question_opens_it() -> None:
    entry = Entry(
        text="the question", epoch=2**40, created_ms=1_700_000_000_123, ttl_s=600, cost_ms=17, exact=False,
        etag=b"0123456789ab", constant=body_of(2000),
    )  # fmt: skip
    data = entry.pack()
    again = Entry.unpack(data, "the question")
    assert again is not None
    assert (again.epoch, again.created_ms, again.ttl_s, again.cost_ms) == (2**40, 1_700_000_000_123, 600, 17)
    assert (again.exact, again.etag, again.length, again.constant) == (False, b"0123456789ab", 2000, body_of(2000))
    assert Entry.unpack(data, "another question") is None
    assert Entry.unpack(data[:-1], "the question") is None
    assert Entry.unpack(data[:10], "the question") is None
    assert Entry.unpack(b"x" * len(data), "the question") is None
