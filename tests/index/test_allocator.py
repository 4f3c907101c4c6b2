"""Memory an evaluation gives back stays with the process, so that the next step need not fetch it again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

STEPS = 20

# Makes and drops the documents common to two terms in every step, as evaluation does; prints how many pages it fetched.
_PROGRAM = f"""
import resource, sys
from pyroaring import BitMap
from pinakes.index.allocator import keep_freed_memory
one, other = BitMap(range(0, 1 << 24, 8)), BitMap(range(0, 1 << 24, 12))
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def fetched(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        common = one & other
        del common
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fetched(3)
print(fetched({STEPS}))
"""


def pages_fetched(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc, which can be told")
def test_steps_of_an_evaluation_fetch_no_new_pages() -> None:
    assert pages_fetched("kept") < STEPS
    assert pages_fetched("given back") > 100 * STEPS
