"""What a text can be read as: its plain form, and the numbers, dates and times in it.

Written by hand, since what is needed is every reading that a person could have meant (``1.100`` is eleven hundred in
one country and one point one in another), where parsers of dates and numbers choose one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache

__all__ = ["Readings", "light", "number_readings", "read", "whole_date"]

_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"\bhttps?://")
_NUMBER = re.compile(
    r"(?<![\w.,/:-])(?P<money>(?:eur|usd|gbp|chf|jpy|cad|aud|sek|nok|dkk|pln|czk|inr|[€$£¥₹])\s?)?"
    r"(?P<number>[-+−]?(?:\d{1,3}(?:[ ',.\u00a0\u202f’]\d{3}){1,6}(?:[.,]\d{1,30})?|\d{1,30}(?:[.,]\d{1,30})?))"
    r"(?P<percent>\s?%)?(?:[€$£¥₹]|\s?[a-zµ°]{1,3}(?![\w]))?(?![\w]|[./:-]\d)"
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(r"(?<!\d)(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?<!\d)(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})(?!\d)"),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4})(?!\d)"),
    re.compile(rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|[.])?(?: of)? (?P<name>{_MONTH})[.,]?,? (?P<y>\d{{4}})(?!\d)"),
    re.compile(rf"\b(?P<name>{_MONTH})[.]? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})(?!\d)"),
)
_TIME = re.compile(r"(?<![\d.])(?P<h>\d{1,2})(?:[:.](?P<m>\d{2}))?(?::\d{2})?\s?(?P<half>[ap])[.]?m\b|"
                   r"(?<![\d.])(?P<h24>\d{1,2})[:.](?P<m24>\d{2})(?!\d)")  # fmt: skip
_AND_TIME = re.compile(r"(?P<date>.*\d)(?:t| at | |, )(?P<time>\d{1,2}:\d{2})(?::\d{2})?(?:z|[+-]00:00)?$")
_LONGEST_DATE = 40
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:[.,]\d{3})+")
_FEW_SPACES = re.compile(r"[ '\u00a0\u202f’]")


def light(text: str) -> str:
    """Without what no person minds: case, and how much white space there is."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text).casefold()).strip()


def _full(text: str) -> str:
    """As ``light``, and without invisible characters and typographic variants of letters."""
    visible = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return _SPACE.sub(" ", visible.casefold()).strip()


class Readings:
    """One text and all that can be found in it. Numbers, dates and times are only looked for when asked for."""

    __slots__ = ("_dates", "_numbers", "_times", "forms")

    def __init__(self, text: str) -> None:
        forms = [light(text)]
        if not text.isascii():
            forms.append(_full(text))
        forms += [bare for form in forms if (bare := _SCHEME.sub("", form)) != form]
        self.forms = tuple(dict.fromkeys(forms))
        self._numbers: frozenset[Decimal] | None = None
        self._dates: frozenset[date] | None = None
        self._times: frozenset[tuple[int, int]] | None = None

    @property
    def numbers(self) -> frozenset[Decimal]:
        if self._numbers is None:
            self._numbers = frozenset(
                reading
                for form in self.forms
                for found in _NUMBER.finditer(form)
                for reading in number_readings(found["number"], percent=bool(found["percent"]))
            )
        return self._numbers

    @property
    def dates(self) -> frozenset[date]:
        if self._dates is None:
            self._dates = frozenset(found for form in self.forms for found in _dates(form))
        return self._dates

    @property
    def times(self) -> frozenset[tuple[int, int]]:
        if self._times is None:
            self._times = frozenset(found for form in self.forms for found in _times(form))
        return self._times


@lru_cache(maxsize=2048)
def read(text: str) -> Readings:
    """The readings of ``text``; a conversation's messages are read once, not at every call."""
    return Readings(text)


def number_readings(written: str, *, percent: bool = False) -> Iterator[Decimal]:
    """Every number that ``written`` may stand for: ``1.100`` is 1.1 and 1100."""
    text = _FEW_SPACES.sub("", written).replace("−", "-")
    for candidate in dict.fromkeys(_decimals(text)):
        reading = Decimal(candidate)
        yield reading
        if percent:
            yield reading / 100


def _decimals(text: str) -> Iterator[str]:
    marks = [char for char in text if char in ".,"]
    if len(set(marks)) == 2:  # with both, the last one is the decimal's
        whole, fraction = text[: (last := max(text.rfind("."), text.rfind(",")))], text[last + 1 :]
        yield f"{whole.replace(',', '').replace('.', '')}.{fraction}"
        return
    if len(marks) <= 1:
        yield text.replace(",", ".")
    if marks and _GROUPED.fullmatch(text):
        yield text.replace(",", "").replace(".", "")


def whole_date(text: str) -> tuple[frozenset[date], tuple[int, int] | None] | None:
    """The dates that ``text`` as a whole may mean, and its time of day where it has one; None: it is no date."""
    plain = light(text)
    if len(plain) > _LONGEST_DATE:
        return None
    time: tuple[int, int] | None = None
    if found := _AND_TIME.match(plain):
        hour, minute = found["time"].split(":")
        plain, time = found["date"], (int(hour), int(minute))
    dates = frozenset(_dates(plain, whole=True))
    return (dates, time) if dates else None


def _dates(text: str, *, whole: bool = False) -> Iterator[date]:
    for pattern in _DATES:
        for found in (
            (each,) if whole and (each := pattern.fullmatch(text)) else () if whole else pattern.finditer(text)
        ):
            parts = found.groupdict()
            month = _MONTHS[parts["name"]] if "name" in parts else int(parts["m"])
            try:
                yield date(int(parts["y"]), month, int(parts["d"]))
            except ValueError:
                continue  # 31.02. is no date


def _times(text: str) -> Iterator[tuple[int, int]]:
    for found in _TIME.finditer(text):
        if found["half"]:
            hour = int(found["h"]) % 12 + (12 if found["half"] == "p" else 0)
            yield hour, int(found["m"] or 0)
        else:
            yield int(found["h24"]), int(found["m24"])
