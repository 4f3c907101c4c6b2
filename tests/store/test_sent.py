"""Reading what `array_send` sends, against the same values sent as rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinakes.store.pool import Pool
from pinakes.store.sent import counted, integers, numbers

MANY = """
    SELECT
        string_agg(int4send(cardinality(given.tags::integer[])), ''::bytea) AS counts,
        string_agg(array_send(given.tags::integer[]), ''::bytea) AS tags
    FROM unnest($1::text[]) AS given (tags)
"""


def as_sent(values: list[int]) -> bytes:
    head = [1, 0, 23, len(values), 1] if values else [0, 0, 23]
    return np.array([*head, *(part for value in values for part in (4, value))], ">i4").tobytes()


def lengths(arrays: list[list[int]]) -> bytes:
    return np.array([len(values) for values in arrays], ">i4").tobytes()


# Small ones, because they look like parts of a header.
tags = st.one_of(st.integers(1, 30), st.integers(1, 2**31 - 1))


@given(st.lists(st.lists(tags, max_size=30), min_size=1))
def test_arrays_one_after_the_other_are_all_their_values(arrays: list[list[int]]) -> None:
    sent = b"".join(map(as_sent, arrays))
    counts = np.array([len(values) for values in arrays], np.int64)
    assert integers(sent, counts).tolist() == [value for values in arrays for value in values]
    assert counted(lengths(arrays), sent) == Counter(value for values in arrays for value in values)


def test_nothing_is_sent_of_nothing() -> None:
    assert numbers(None, 8).tolist() == []
    assert counted(None, None) == {}


async def test_postgresql_sends_arrays_as_they_are_read(pool: Pool) -> None:
    arrays = [[1], [4, 1, 23], [], [23, 4, 1, 4, 23], [2**31 - 1, 1]]
    row = await pool.fetchrow(MANY, [f"{{{','.join(map(str, values))}}}" for values in arrays])
    assert row is not None
    assert (row["counts"], row["tags"]) == (lengths(arrays), b"".join(map(as_sent, arrays)))
    assert counted(row["counts"], row["tags"]) == Counter(value for values in arrays for value in values)


@pytest.mark.parametrize(("size", "type_name"), [(4, "integer"), (8, "bigint")])
async def test_one_array_is_read_by_the_size_of_its_values(pool: Pool, size: int, type_name: str) -> None:
    sent = await pool.fetchval(f"SELECT array_send(ARRAY[1, 4, 23, 70000]::{type_name}[])")
    assert numbers(sent, size).tolist() == [1, 4, 23, 70_000]
