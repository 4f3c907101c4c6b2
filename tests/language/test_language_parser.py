"""The language of the search box: one canonical text, errors that say where and what, ceilings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from language import asked
from language.fuzz import fuzz
from pinakes.errors import QuerySyntax, TooManyTerms
from pinakes.query.language import parser
from pinakes.query.language.parser import PIECES_A_TERM, STEP, parse, parsing, pieces
from pinakes.query.language.syntax import MAX_DEPTH, Question, Word, leaves

FUZZED = int(os.environ.get("PINAKES_TEST_FUZZ", "20000"))

CANONICAL = [
    ("", ""),
    ("  ", ""),
    ("landscape -people", "landscape -people"),
    ("-people   landscape landscape", "landscape -people"),
    ("~rain ~snow", "rain or snow"),
    ("sea ~snow ~rain", "(rain or snow) sea"),
    ("~rain", "rain"),
    ("a b or c", "a b or c"),
    ("a | b OR c", "a or b or c"),
    ("(a or b) c", "(a or b) c"),
    ("((a)) (b c)", "a b c"),
    ("-(a or b)", "-(a or b)"),
    ("--a", "a"),
    ("---a", "-a"),
    ("-(-a)", "a"),
    ("~-a ~(b c)", "b c or -a"),
    ('"Morning  Light!"', '"morning light"'),
    ('tag:"stormy sea"', 'tag:"stormy sea"'),
    ('tag:"stormy_sea"', "tag:stormy_sea"),
    ("TAG:sea", "tag:sea"),
    ("mona_lisa_(painting)", "mona_lisa_(painting)"),
    ("(mona_lisa_(painting))", "mona_lisa_(painting)"),
    ("place:paris", "place:paris"),
    ("tag:mine:x", "tag:mine:x"),
    ("sun** tag:*sea", "*sea sun*"),
    ('tag:"sun*"', 'tag:"sun*"'),
    ("score:>=0.7 score:.7..1", "score:0.7..1.0 score:>=0.7"),
    ("score:0.5", "score:0.5"),
    ("score:-0", "score:0.0"),
    ("created:2023-01..2023-06", "created:2023-01..2023-06"),
    ("created:2023-01..2023-12", "created:2023"),
    ("created:>2024", "created:>=2025"),
    ("created:<2024", "created:<=2023"),
    ("created:2024-05-17T08:30+02:00", "created:2024-05-17T06:30Z"),
    ("created:2024-05-17T08:30:00.5Z", "created:2024-05-17T08:30:00.500000Z..2024-05-17T08:30:00.599999Z"),
    ("tags:>10", "tags:>=11"),
    ("tags:0", "untagged:"),
    ("tags:<1", "untagged:"),
    ("tags:2..2", "tags:2"),
    ("order:quality asc: sea", "sea order:quality asc:"),
    ("a or b order:quality_score", "(a or b) order:quality"),
    ("order:title or a", "a order:title"),
    ("orange or oregon", "orange or oregon"),
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_texts_have_one_canonical_form(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert str(parse(canonical)) == canonical


@given(st.integers(0, 2**63))
def test_printing_and_parsing_is_the_identity(seed: int) -> None:
    question = asked.question(Random(seed))
    assert parse(str(question)) == question


@given(st.integers(0, 2**63))
def test_the_order_of_typing_changes_nothing(seed: int) -> None:
    rng = Random(seed)
    pieces = [str(asked.leaf(rng)) for _ in range(rng.randrange(1, 8))]
    shuffled = rng.sample(pieces, len(pieces))
    assert parse(" ".join(pieces)) == parse(" ".join(shuffled))
    assert parse(" or ".join(pieces)) == parse(" | ".join(shuffled))
    assert parse("~" + " ~".join(pieces)) == parse(" or ".join(shuffled))


def test_no_text_raises_anything_but_a_query_error() -> None:
    told = fuzz(FUZZED, seed=7)
    assert told["understood"] > FUZZED / 20
    assert told["QuerySyntax"] > FUZZED / 20


WRONG: list[tuple[str, int, str, str | None]] = [
    ("(a", 2, ")", "(a)"),
    ("a)", 1, "the end", "a"),
    ('castle "open', 7, "a condition", 'castle "open"'),
    ("a - b", 2, "a condition", None),
    ("a or", 4, "a condition", "a"),
    ("()", 1, "a condition", None),
    ("score:abc", 6, "a number such as 0.5, >=0.5 or 0.5..0.7", "score:>=0.7"),
    ("score:", 6, "a number such as 0.5, >=0.5 or 0.5..0.7", "score:>=0.7"),
    ("score:1e999", 6, "a finite number", None),
    ("score:2..1 sea", 6, "low..high", "score:1..2 sea"),
    ("sea scroe:>1 rain", 4, "score:", "sea score:>1 rain"),
    ("scroe:", 0, "score:", "score:>=0.7"),
    ("user: sea", 0, "by:", None),
    ("date:2024", 0, "created:", "created:2024"),
    ("user:ada", 0, "by:", "by:ada"),
    ("sort:title", 0, "order:", "order:title"),
    ("mine:yes sea", 0, "mine:", "mine: sea"),
    ("minee: x", 0, "mine:", "mine: x"),
    ("created:2023-02-30", 8, "a year, month, day", None),
    ("created:2024..2023", 8, "low..high", "created:2023..2024"),
    ("sea tags:>x rain", 9, "a count", "sea tags:>5 rain"),
    ("type:IMAGE", 5, "a type of content", "type:image"),
    ("source:manual", 7, "regular", "source:regular"),
    ("sea source:Atuo", 11, "regular", "sea source:auto"),
    ("source:museum", 7, "regular", None),
    ("order:size", 6, "created, updated", None),
    ("order:newest sea", 6, "created, updated", "order:created sea"),
    ("(order:title)", 1, "order:", None),
    ("order:title order:created", 18, "one order:", None),
    ("sea *", 4, "letters and *", "sea tags:>0"),
    ("tag:", 4, "a name", None),
    ('tag:" "', 4, "a name of 1", None),
    ("a \0", 2, "text without U+0000", None),
    ("x" * 256, 0, "at most 255", None),
]


@pytest.mark.parametrize(("text", "position", "there", "suggestion"), WRONG)
def test_an_error_says_where_and_what_was_expected(
    text: str, position: int, there: str, suggestion: str | None
) -> None:
    with pytest.raises(QuerySyntax) as raised:
        parse(text)
    extra = raised.value.extra
    assert extra["position"] == position
    assert any(told.startswith(there) for told in extra["expected"]), extra
    assert suggestion is None or extra["suggestion"] == suggestion


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("score:0,7", "score:0.7"),
        ("score:>70%", "score:>0.7"),
        ("score:=>0.5", "score:>=0.5"),
        ("score:==1", "score:1"),
        ("score:0.5-0.7", "score:0.5..0.7"),
        ("score:0.7+", "score:>=0.7"),
        ("score:<bad", "score:<0.7"),
        ("-(score:high sea)", "-(score:>=0.7 sea)"),
        ("tags:5-9", "tags:5..9"),
        ("tags:5to9", "tags:5..9"),
        ("tags:10+ sea", "tags:>=10 sea"),
        ("tags:many", "tags:>5"),
        ("created:2023/06/01", "created:2023-06-01"),
        ("created:2023.06", "created:2023-06"),
        ("created:2022-2023", "created:2022..2023"),
        ("created:2020+", "created:>=2020"),
        ("updated:<yesterday", "updated:<2024"),
        ("created:", "created:2024"),
        ("type:", "type:image"),
        ("order: sea", "order:created sea"),
        ('score:"0.7" sea', "score:0.7 sea"),
        ("score: high", "score:>=0.7 high"),
    ],
)
def test_a_value_written_as_elsewhere_is_suggested_as_it_is_written_here(typed: str, meant: str) -> None:
    with pytest.raises(QuerySyntax) as raised:
        parse(typed)
    assert raised.value.extra["suggestion"] == meant
    parse(meant)


@given(st.integers(0, 2**63), st.sampled_from(["score:", "tags:", "created:", "updated:"]), st.text(max_size=8))
def test_a_suggested_value_can_be_asked_wherever_it_stands(seed: int, field: str, value: str) -> None:
    before, after = (str(asked.leaf(Random(seed + place))) for place in range(2))
    piece = "".join(character for character in value if character not in '()"\0' and not character.isspace())
    try:
        parse(f"{before} {field}{piece} {after}")
    except QuerySyntax as error:
        meant = error.extra["suggestion"]
        assert meant is None or (meant.startswith(before) and meant.endswith(after))
        if meant is not None:
            parse(meant)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rating:g", "score:>=0.7"),
        ("sort:date", "order:created"),
        ("sort:views", None),
        ("kind:Image", "type:image"),
        ("created:2023/02/30", None),
        ("((sea", "((sea))"),
        ("sea) sort:date", "sea order:created"),
        ("(order:date sea", None),
        ("scroe:>1 " + "sea " * 400, None),
        (":)", 'tag:":)"'),
        (">:(", 'tag:">:("'),
        ("castle -:) sea", 'castle -tag:":)" sea'),
        (":( sea", 'tag:":(" sea'),
        (":\\)", 'tag:":\\\\)"'),
    ],
)
def test_a_suggestion_can_be_asked_itself_or_is_not_given(typed: str, meant: str | None) -> None:
    with pytest.raises(QuerySyntax) as raised:
        parse(typed)
    assert raised.value.extra["suggestion"] == meant
    assert meant is None or parse(meant)


FLOODS = {
    "signs": "-" * 60_000 + "a",
    "words": "a " * 30_000,
    "alternatives": "a|" * 30_000,
    "marks": "~a " * 20_000,
    "brackets": "(a) " * 16_000,
    "quotes": '""' * 30_000,
    "a phrase": '"' + "a " * 30_000 + '"',
    "a phrase never closed": '"' + "a " * 30_000,
    "orders": "order:created " * 4_500,
    "scores": "score:1..2 " * 5_900,
    "signs before words": ("-" * 50 + "a ") * 1_200,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_text_of_too_many_pieces_never_reaches_the_grammar(flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    def counting(text: str) -> Iterator[int]:
        for each in pieces(text):
            counted.append(each)
            yield each

    monkeypatch.setattr(parser, "_parser", lambda: pytest.fail("the grammar was asked"))
    monkeypatch.setattr(parser, "pieces", counting)
    with pytest.raises(TooManyTerms):
        parse(FLOODS[flood])
    assert len(counted) <= PIECES_A_TERM * 1000 + 1


def test_a_long_text_is_read_in_steps_and_once() -> None:
    text = " or ".join(f"once{number}" for number in range(1000))
    steps = sum(1 for _ in parsing(text))
    assert steps >= 1999 // STEP
    question = parse(text)
    assert not list(parsing(text)), "it is remembered"
    assert parse(str(question)) is question, "under its canonical spelling too"


def test_a_refused_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        with pytest.raises(QuerySyntax) as raised:
            parse("refused once (")
        assert raised.value.extra["position"] == 14
        monkeypatch.setattr(parser, "_parser", lambda: pytest.fail("the grammar was asked again"))


def test_a_deep_question_is_spelt_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leaf's text is asked for a few times, not once at each of the levels above it."""
    spelt = 0
    plain = Word.__str__

    def counted(word: Word) -> str:
        nonlocal spelt
        spelt += 1
        return plain(word)

    monkeypatch.setattr(Word, "__str__", counted)
    text = "deep"
    for level in range(MAX_DEPTH - 2):
        text = f"({text} " + " ".join(f"leaf{level}x{number}" for number in range(19)) + f") or other{level}"
    question = parse(text)
    count = sum(1 for _ in leaves(question.condition)) if question.condition else 0
    assert count > 900
    assert spelt <= 4 * count


def test_an_order_in_brackets_is_told_to_stand_outside() -> None:
    with pytest.raises(QuerySyntax) as raised:
        parse("(sea order:title)")
    assert (raised.value.extra["position"], raised.value.extra["suggestion"]) == (5, "(sea) order:title")
    assert "outside of brackets" in raised.value.advice


def test_there_is_no_limit_on_tags_below_the_ceilings() -> None:
    many = " ".join(f"tag{n}" for n in range(1000))
    assert len(str(parse(many)).split()) == 1000
    with pytest.raises(TooManyTerms):
        parse(many + " another")
    with pytest.raises(TooManyTerms):
        parse("x " * 40_000)
    assert parse(" ".join(["x"] * 2000)) == parse("x")


def test_brackets_nest_to_a_stated_depth() -> None:
    deep = "(a or b " * MAX_DEPTH + ")" * MAX_DEPTH
    assert isinstance(parse(deep), Question)
    with pytest.raises(TooManyTerms):
        parse("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1))
    with pytest.raises(TooManyTerms):
        parse("(" * 30_000)
