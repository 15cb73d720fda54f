"""Regexes that mean something else than they seem to, or that a hostile value could keep busy."""

from __future__ import annotations

import re

import pytest

from bailiwick.policy.regex_reach import regex_problem

KEEPS_BUSY = [
    "(a+)+", "(x+)+y", "([a-z]+)*", "(a|aa)*", "(a|a?)+", "(a?){50}", "((a+))+", "(x(a+)+)*", "([a-z]{1,80}){1,80}",
    "(.+,)*x", "(a|)+", "([a-z]+ ?)+", ".*a.*b.*", "(?:[a-z]*)*", "(?=(a+)+b)x", "([^,]+,?)+x",
]  # fmt: skip
FINE = [
    "ORD-[0-9]{6}", "[A-Za-z0-9][A-Za-z0-9_-]{0,80}[.](pdf|txt)", "(a|b)*", "([a-z]+-)*[a-z]+", "(foo|bar)*",
    r"(\d{1,3}\.){3}\d{1,3}", r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "([0-9]{3})+", "((a|b)+c)*", "(a*)?", "(?:ab?)*",
    ".*@example[.]com", "https://[^/]+/.*", "[A-Za-z .'-]{2,60}", "(?i)yes|no", "[+|-]?[0-9]+", r"[\s\w]{1,20}", "",
]  # fmt: skip


@pytest.mark.parametrize("regex", KEEPS_BUSY)
def test_repeated_repetitions_are_refused(regex: str) -> None:
    found = regex_problem(regex)
    assert found is not None
    assert "busy" in found[0]


@pytest.mark.parametrize("regex", FINE)
def test_ordinary_ones_are_not(regex: str) -> None:
    re.compile(regex)
    assert regex_problem(regex) is None


@pytest.mark.parametrize("regex", ["[pdf|txt]", "[send_email|delete_email]", "x[ab|cd]y", "[^read|write]+"])
def test_a_class_of_characters_that_was_meant_as_a_choice_of_words(regex: str) -> None:
    # Invariant's README guards an agent with such a rule: it matches single letters.
    found = regex_problem(regex)
    assert found is not None
    assert "class of single characters" in found[0]


@pytest.mark.parametrize("regex", [".*", ".+", "(.*)", r"[\s\S]*", "^.*$", ".{0,1000}", "[^\x00]*"])
def test_one_that_matches_everything_limits_nothing(regex: str) -> None:
    found = regex_problem(regex)
    assert found is not None
    assert "matches everything" in found[0]
