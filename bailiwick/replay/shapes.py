"""Texts of one shape: a regex of character classes with length bounds, such as ``ORD-[0-9]{6}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby

from bailiwick.policy.regex_reach import regex_problem

__all__ = ["identifiers", "shape"]

_LONGEST = 64
_DISTINCT = 3
"""Different words of letters alone that it takes to call their form a shape."""
_PARTS = 12
_NUMBER = re.compile(r"[0-9]{3,}")

_Part = tuple[str, str]
"""A class of characters (empty: these very characters), and the stretch of text that is of it."""


def shape(texts: Sequence[str]) -> str | None:
    """A regex that matches each of ``texts`` as a whole; None where they have no shape in common.

    Prose has none: what has white space in it, or is longer than an identifier.
    """
    distinct = list(dict.fromkeys(texts))
    if not distinct or any(not text or len(text) > _LONGEST or not _plain(text) for text in distinct):
        return None
    if all(text.isalpha() for text in distinct) and len(distinct) < _DISTINCT:
        return None
    for kind in (_fine, _letters, _letters_and_digits):
        made = _alike([_parts(text, kind) for text in distinct])
        if made is not None and regex_problem(made) is None and all(re.fullmatch(made, text) for text in distinct):
            return made
    return None


def identifiers(texts: Sequence[str]) -> bool:
    """Whether these are numbers of something, of which there will be others: ``ORD-000117``, ``ORD-000131``."""
    distinct = set(texts)
    return len(distinct) > 1 and all(_NUMBER.search(text) for text in distinct) and shape(texts) is not None


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _fine(char: str) -> str:
    return "0-9" if char.isdigit() else "A-Z" if char.isupper() else "a-z" if char.islower() else ""


def _letters(char: str) -> str:
    return "0-9" if char.isdigit() else "A-Za-z" if char.isalpha() else ""


def _letters_and_digits(char: str) -> str:
    return "A-Za-z0-9" if char.isalnum() else ""


def _parts(text: str, kind: Callable[[str], str]) -> list[_Part]:
    return [(name, "".join(chars)) for name, chars in groupby(text, kind)]


def _alike(every: Sequence[Sequence[_Part]]) -> str | None:
    """One expression for texts whose parts are of the same classes in the same order."""
    first = every[0]
    if len(first) > _PARTS or any(len(each) != len(first) for each in every):
        return None
    made = ""
    for at, (name, text) in enumerate(first):
        stretches = [each[at][1] for each in every]
        if any(each[at][0] != name for each in every):
            return None
        fixed = len(set(stretches)) == 1 and "0-9" not in name
        if not name and not fixed:
            return None
        made += "".join(map(_literal, text)) if fixed else f"[{name}]{_times(stretches)}"
    return made


def _times(stretches: Sequence[str]) -> str:
    fewest, most = min(map(len, stretches)), max(map(len, stretches))
    if fewest != most:
        return f"{{{fewest},{most}}}"
    return "" if most == 1 else f"{{{most}}}"


def _literal(char: str) -> str:
    # A class of one is easier on the eye than a backslash in YAML.
    special = char in ".^$*+?{}[]\\|()"
    return (f"[{char}]" if char not in "^[]\\" else f"\\{char}") if special else char
