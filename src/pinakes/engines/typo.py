"""Typos: the texts one typing error away from another."""

from __future__ import annotations

from string import ascii_lowercase, digits

LETTERS = ascii_lowercase + digits + " "


def one_error_away(text: str, until: int | None = None) -> set[str]:
    """The texts one letter more, less or other than `text`, or with two of its letters exchanged.

    `until`: with the error at that letter, counted from 0, or before.
    """
    cuts = [(text[:at], text[at:]) for at in range((len(text) if until is None else until) + 1)]
    less = {head + tail[1:] for head, tail in cuts if tail}
    exchanged = {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    other = {head + letter + tail[1:] for head, tail in cuts if tail for letter in LETTERS}
    more = {head + letter + tail for head, tail in cuts for letter in LETTERS}
    return {each for each in less | exchanged | other | more if each.strip() == each} - {text}
