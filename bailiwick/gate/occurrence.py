"""Whether a value stands in a text: as a word of its own, in whatever way people write such a value."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bailiwick.gate.json_value import number
from bailiwick.gate.readings import light, number_readings, read, whole_date

__all__ = ["occurs"]

_JOINS = frozenset("_-+.@/\\%=&~")
"""What makes one word of two: ``not-bob@shop.example`` does not hold ``bob@shop.example``."""
_PLAIN_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:[.,]\d+)?")
_IDENTIFIER = re.compile(r"(?=.*\d)[^\W_](?:[ -]?[^\W_]){5,63}")
_SCHEME = re.compile(r"^https?://")


def occurs(value: str | int | float, source: Any) -> bool:
    """Whether ``value`` stands in ``source``, a text or a number.

    Case, white space, the way numbers and dates are written, ``https://`` and the spaces or hyphens within an
    identifier are looked through. ``bob`` does not stand in ``bobby`` or ``bob@shop.example``, and empty text nowhere.
    """
    wanted = number(value)
    known = number(source)
    if known is not None:
        return known == wanted if wanted is not None else isinstance(value, str) and known in _as_numbers(value)
    if not isinstance(source, str):
        return False
    found = read(source)
    if wanted is not None:
        return wanted in found.numbers
    if not isinstance(value, str) or not (plain := light(value)):
        return False
    if any(_stands_in(form, plain) for form in found.forms):
        return True
    bare = _SCHEME.sub("", plain).rstrip("/")
    if bare and bare != plain and any(_stands_in(form, bare) for form in found.forms):
        return True
    if numbers := _as_numbers(value):
        return bool(numbers & found.numbers)
    if (dated := whole_date(value)) is not None:
        dates, time = dated
        return bool(dates & found.dates) and (time is None or time in found.times)
    return bool(_IDENTIFIER.fullmatch(plain)) and any(_spaced(plain).search(form) for form in found.forms)


def _stands_in(text: str, word: str) -> bool:
    at = text.find(word)
    while at >= 0:
        if _alone(text, at, at + len(word)):
            return True
        at = text.find(word, at + 1)
    return False


def _alone(text: str, start: int, end: int) -> bool:
    before, more = text[start - 1 : start] if start else "", text[start - 2 : start - 1] if start > 1 else ""
    return not (
        _joined(text[start], before, more) or _joined(text[end - 1], text[end : end + 1], text[end + 1 : end + 2])
    )


def _joined(edge: str, beyond: str, more: str) -> bool:
    """Whether a word that ends in ``edge`` goes on in ``beyond`` and ``more``, the characters next to it."""
    if not beyond:
        return False
    if beyond.isalnum():
        return edge.isalnum()
    if beyond in _JOINS:
        # A full stop ends a sentence, a dash stands between words: they join only what follows at once.
        return bool(more) and (more.isalnum() or more in _JOINS)
    return beyond == "," and edge.isdigit() and more.isdigit()


def _as_numbers(text: str) -> frozenset[Decimal]:
    plain = text.strip()
    if len(plain) > 40 or not _PLAIN_NUMBER.fullmatch(plain):
        return frozenset()
    return frozenset(number_readings(plain))


@lru_cache(maxsize=512)
def _spaced(identifier: str) -> re.Pattern[str]:
    letters = [char for char in identifier if char not in " -"]
    return re.compile(r"(?<![\w@.+-])" + "[ -]?".join(map(re.escape, letters)) + r"(?![\w@]|[.+-]\w)")
