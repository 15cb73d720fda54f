"""A value is found again however people write it, and never within another."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.gate.occurrence import occurs


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bob", "please ask Bob."),
        ("New York", "in new\n   york"),
        ("bob@shop.example", "Mail (bob@shop.example), quickly"),
        ("ORD-000123", "is order ord-000123 here?"),
        ("#general", "post it in #general"),
        ("general", "post it in #general"),
        ("José", "JOSE\u0301 said"),
        ("bob", "bo\u200bb hides a letter that nobody sees"),
        ("https://www.shop.example/", "visit www.shop.example."),
        ("www.shop.example", "visit https://www.shop.example"),
        ("US133000000121212121212", "to US13 3000 0001 2121 2121 212 please"),
        ("US13 3000 0001 2121 2121 212", "to US133000000121212121212"),
        (50, "refund 50€"),
        (50, "refund $50.00"),
        (50, "EUR50"),
        ("50.0", "refund 50"),
        (1.5, "1,5 kg"),
        (1234.56, "1,234.56"),
        (1234.56, "1.234,56"),
        (1100, "1.100 EUR"),
        (1.1, "1.100 EUR"),
        (1_000_000, "1 000 000"),
        (0.19, "19 %"),
        (19, "19%"),
        (-5, "it was -5 outside"),
        (3, "2, 3 or 4"),
        ("2024-05-01", "on May 1st, 2024 please"),
        ("2024-05-01", "am 01.05.2024"),
        ("05/01/2024", "on 1 May 2024"),
        ("2024-05-01T10:30", "on 1 May 2024 at 10:30"),
        ("2024-05-01 22:30", "2024-05-01, 10:30 pm"),
        (7, 7.0),
        ("7", 7),
    ],
)
def test_what_is_found(value: Any, text: Any) -> None:
    assert occurs(value, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bob", "bobby"),
        ("bob", "bob@shop.example"),
        ("bob@shop.example", "not-bob@shop.example"),
        ("bob@shop.example", "bob@shop.example.evil.example"),
        ("shop.example", "bob@shop.example"),
        ("shop.example", "www.shop.example"),
        ("shop.example/steal", "shop.example"),
        ("bo\u200bb", "bob"),
        ("ｂob", "bob"),
        ("007", 7),
        (15, "1.5"),
        (5, "1,5"),
        (5, "it was -5 outside"),
        (123, "ORD-000123"),
        (2024, "on 2024-05-01"),
        (10, "10-50"),
        ("2024-05-01", "on 2024-05-02"),
        ("2024-05-01T11:30", "on 1 May 2024 at 10:30"),
        ("2024-02-31", "30.02.2024 is no day either"),
        ("", "anything"),
        ("  ", "anything"),
        (True, "true"),
        (True, 1),
    ],
)
def test_what_is_not(value: Any, text: Any) -> None:
    assert not occurs(value, text)


@given(st.text(max_size=30), st.text(max_size=60))
def test_it_never_raises(value: str, text: str) -> None:
    occurs(value, text)
    occurs(1, text)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), st.text(max_size=20))
def test_a_word_is_found_wherever_it_stands_alone(word: str, around: str) -> None:
    assert occurs(word, f"{around} {word} {around}")


@given(st.integers(-(10**9), 10**9) | st.decimals(-(10**6), 10**6, places=2).map(float))
def test_a_number_is_found_as_it_is_written(number: float) -> None:
    assert occurs(number, f"it is {number!r}, they say") or "e" in repr(number)


@pytest.mark.parametrize("text", ["1 000" * 9000, "1," * 30000, "a@" * 30000, "9" * 60000, "- " * 30000, "A1 " * 20000])
def test_hostile_text_does_not_take_minutes(text: str) -> None:
    begun = time.perf_counter()
    for value in (5, "5", "AB12 CD34 EF56", "2024-05-01 10:30", "x" * 50):
        occurs(value, text)
    assert time.perf_counter() - begun < 5
