"""Only these may ask the host what time of day it is; durations and deadlines are of the monotonic clock.

A wall clock can jump by hours, so whoever measures with one is wrong by hours. Each file here says what it needs the
time of day for; in `bench/` it is the date of a measurement. What is compared with times in PostgreSQL or Redis is
asked there.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "pinakes"
CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
ALLOWED = {
    "advise/measured.py": "the end of a range of figures, whose minutes are dated by the hosts",
    "api/auth.py": "tokens say in seconds since 1970 from when and until when they are good",
    "doctor/gallery.py": "the end of a range of figures",
    "figures/recorder.py": "the minute a figure belongs to; a minute that comes again is another one",
    "store/transfer/batch.py": "the date of an imported item that has none",
    "web/gallery.py": "how long ago a page was right, for people; never below nothing",
    "web/ops.py": "the end of a range of figures",
}


def test_nobody_else_asks_for_the_time_of_day() -> None:
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in CALLS:
                found.add(path.relative_to(SOURCE).as_posix())
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                assert not {alias.name for alias in node.names} & {"time", "time_ns"}, path
    assert {name for name in found if not name.startswith("bench/")} == set(ALLOWED)


def test_every_statement_that_tells_when_the_read_model_was_right_minds_a_clock_set_back() -> None:
    """Who reads `epoch.at` as it stands would take a read model dated in the future for fresh."""
    careless = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.sql")
        if "migrations" not in path.parts and re.search(r"^ *epoch\.at,$", path.read_text(), re.MULTILINE)
    ]
    assert careless == []
