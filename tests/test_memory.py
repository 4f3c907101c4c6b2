"""What a process remembers is bounded in bytes."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pinakes
from pinakes.memory import SHARE, Memory, held, of_text, remembered, weight
from pinakes.query.gallery_query import GalleryQuery
from pinakes.query.language import parser
from pinakes.query.language.parser import parse

PACKAGE = Path(pinakes.__file__).parent

BOUNDED_BY_WHAT_THERE_IS = {
    "api/proxies.py": "the one setting",
    "advise/words.py": "words of the rules, which are a closed list",
    "bench": "measures, and serves nobody",
    "bitmap/ladder.py": "32 lists of 256 numbers",
    "bitmap/terms.py": "the 256 spellings of each byte of five fields",
    "cli": "a command, which ends",
    "doctor/declared.py": "the schema's own files",
    "embedded": "runs servers, and serves nobody",
    "engines/index_page.py": "fields and orders, which are closed lists",
    "index/allocator.py": "one answer",
    "memory.py": "the attributes of each class",
    "query/language/grammar.py": "the grammar's own terminals",
    "query/language/parser.py": "the one grammar",
    "store/catalogue.py": "a file of the package",
    "store/large.py": "a rule out of four for each of the few large columns",
    "store/content.py": "subsets of the sources",
    "store/migrate.py": "the migrations",
    "store/queries.py": "files of the package, and the sources",
    "store/tags.py": "files of the package",
    "store/transfer/line.py": "an import, which ends; 4,096 times and 1,024 shapes of lines",
    "view/applier.py": "one statement",
    "view/definition.py": "statements of the sources, and subsets of the columns asked for by name",
    "view/reading.py": "a rule out of four for each of the few large columns",
    "web/art/color.py": "4,096 pairs of colours of 7 characters",
    "worker/celery_app.py": "the one worker",
}
"""Where `functools` may remember without counting bytes, and why that cannot grow with requests."""


def test_only_bounded_memories_grow_with_requests() -> None:
    """`cache` never lets go and `lru_cache` counts entries, each as long as whoever asks makes it."""
    found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if _remembers(path)}
    unlisted = {name for name in found if not {name, name.split("/")[0]} & BOUNDED_BY_WHAT_THERE_IS.keys()}
    assert not unlisted, f"use pinakes.memory in {sorted(unlisted)}, or say here why it cannot grow"


def _remembers(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr == "lru_cache":
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "functools":
            return not {"cache", "lru_cache"}.isdisjoint(alias.name for alias in node.names)
    return False


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 400), st.booleans())))
def test_the_bytes_are_those_of_the_entries_and_never_above_the_limit(steps: list[tuple[int, int, bool]]) -> None:
    memory: Memory[int, bytes] = Memory("tried", 2000, lambda _, value: len(value))
    known: dict[int, int] = {}
    for key, size, put in steps:
        if put:
            memory.put(key, bytes(size))
        else:
            memory.get(key)
        known = {each: len(value) for each in range(21) if (value := memory.get(each)) is not None}
        assert memory.bytes == sum(known.values()) + 120 * len(known) <= memory.limit
        assert len(memory) == len(known)
    memory.clear()
    assert (memory.bytes, len(memory)) == (0, 0)


def test_the_least_recently_used_go_first_and_what_is_too_heavy_never_comes_in() -> None:
    memory: Memory[str, str] = Memory("tried", 1200, lambda _, value: len(value) - 120)
    for key in "abcd":
        memory.put(key, "x" * 300)
    memory.get("a")
    memory.put("e", "x" * 300)
    assert [memory.get(key) is None for key in "abcde"] == [False, True, False, False, False]
    memory.put("a", "x" * (1200 // SHARE + 1))
    assert memory.get("a") is None
    assert memory.evictions == 1


def test_whatever_a_thing_is_made_of_is_weighed() -> None:
    text = "x" * 10_000
    query = GalleryQuery(search_term=text)
    assert weight(query) > weight(GalleryQuery()) + 9_000
    assert weight({"a": [(text, {query})]}) > 10_000
    assert weight([text, text]) < 11_000, "what is there twice is held once"
    assert weight(parse(" ".join(f"w{number}" for number in range(500)))) > 500 * 50


@pytest.mark.parametrize(
    "text", ["a", "a b -c", "(a or b) c " * 20, "((((((((((a b) or c) d) or e) f) or g) h) or i) j) or k)"]
)
def test_the_estimate_of_a_short_question_is_rather_too_high(text: str) -> None:
    query = GalleryQuery(q=text)
    assert of_text(text, query) >= weight((query, parse(text))) * 2 // 3


def test_different_questions_of_a_thousand_terms_do_not_grow_the_process() -> None:
    for number in range(60):
        parse(" or ".join(f"w{number}x{word}" for word in range(990)))
        assert parser._known.bytes <= parser._known.limit
    assert parser._known.evictions > 20


def test_a_function_remembers_within_its_bytes() -> None:
    asked = []

    @remembered("tried", 20_000)
    def twice(text: str) -> str:
        asked.append(text)
        return text * 2

    assert [twice("a"), twice("a")] == ["aa", "aa"]
    assert asked == ["a"]
    for number in range(500):
        twice(f"{number}" * 50)
    assert twice.memory.bytes <= 20_000


def test_memories_of_one_name_are_told_together_and_no_longer_than_they_live() -> None:
    one: Memory[int, int] = Memory("told", 1000)
    other: Memory[int, int] = Memory("told", 1000)
    one.put(1, 1)
    other.put(2, 2)
    assert (held()["told"].limit, held()["told"].entries) == (2000, 2)
    del one, other
    gc.collect()
    assert "told" not in held()
