"""Titles and prompts, built from an item's own scene and tags, so that text search finds what is there.

    title  = subject | subject phrase | "Study of" subject | subject phrase "," medium-or-style
    prompt = subject phrase, tag, tag, …      "a stormy sea at dusk, horizon, oil painting, by mira solberg"

The subject is the item's rarest tag that a picture can be of, or, where it has none, a word of its
theme. The prompt names up to MOST_NAMED tags in the vocabulary's order of speech. About 3 µs an
item; `slim` texts hold the subject and the phrase alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinakes.bench.generator.themes import SCENES
from pinakes.bench.generator.words import NO_ARTICLE

MOST_NAMED = 14


def with_article(noun: str) -> str:
    """`a ship`, `an old ship`, `noodles`; the last word before a preposition decides."""
    head = noun
    for preposition in (" in ", " at ", " on ", " by ", " under ", " from ", " with ", " of "):
        head = head.partition(preposition)[0]
    last = head.rpartition(" ")[2]
    if last in NO_ARTICLE or (last.endswith("s") and not last.endswith(("ss", "us", "is"))):
        return noun
    return ("an " if noun[0] in "aeiou" and not noun.startswith(("uni", "one")) else "a ") + noun


class Writer:
    """Writes the texts of items over one vocabulary; `subjects` says which places can be a subject."""

    def __init__(self, spoken: Sequence[str], subjects: Sequence[bool]) -> None:
        self._spoken = spoken
        self._subjects = subjects
        self._articled = [with_article(name) if subject else "" for name, subject in zip(spoken, subjects, strict=True)]
        self._themes = [[(name, with_article(name)) for name in theme.subjects] for theme, _ in SCENES]
        self._phrases = [scene.phrases for _, scene in SCENES]

    def full(self, scene: int, tags: list[int], wording: int) -> tuple[str, str]:
        """Title and prompt of an item with `tags` in order of speech; `wording` is 31 random bits."""
        subject, articled, phrase, rest = self._opening(scene, tags, wording)
        named = [self._spoken[tag] for tag in tags[rest:MOST_NAMED]]
        match wording >> 20 & 3:
            case 0:
                title = f"{subject} {phrase}"
            case 1:
                title = f"Study of {articled}"
            case 2 if named:
                title = f"{subject} {phrase}, {named[-1]}"
            case _:
                title = subject
        return title[0].upper() + title[1:], ", ".join([f"{articled} {phrase}", *named])

    def slim(self, scene: int, tags: list[int], wording: int) -> tuple[str, str]:
        """The short title and prompt of the same item."""
        subject, articled, phrase, _ = self._opening(scene, tags, wording)
        return subject, f"{articled} {phrase}"

    def _opening(self, scene: int, tags: list[int], wording: int) -> tuple[str, str, str, int]:
        """Subject, subject with article, phrase, and how many of the tags these name."""
        phrases = self._phrases[scene]
        phrase = phrases[(wording & 1023) % len(phrases)]
        if tags and self._subjects[tags[0]]:
            return self._spoken[tags[0]], self._articled[tags[0]], phrase, 1
        choices = self._themes[scene]
        subject, articled = choices[(wording >> 10 & 1023) % len(choices)]
        return subject, articled, phrase, 0
