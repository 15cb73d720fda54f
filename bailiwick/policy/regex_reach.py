"""Regular expressions that do something else than their author meant, or that can be made to run for years.

The expression is taken apart by the parser that ``re`` itself uses. ``re`` cannot be given a time limit, so what may
backtrack exponentially is refused when the policy is loaded, not survived when the gate decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

__all__ = ["regex_problem"]

_EVERYTHING = frozenset(range(257))
"""Characters 0 to 255, and 256 for all beyond: coarse, and coarse on the safe side."""
_CLASS_OF_WORDS = re.compile(r"(?<!\\)\[[^\]\\]*\w{2,}\|\w{2,}[^\]\\]*\]")
_SAMPLES = ("a", "Z9", "../x", " -_.", "ü€", "x" * 40)
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_SINGLE = ("LITERAL", "NOT_LITERAL", "IN")
_LONG = 1000
_MANY = 2


def regex_problem(regex: str) -> tuple[str, str] | None:
    """``(what is wrong, how to mend it)``, or None. ``regex`` compiles."""
    if found := _CLASS_OF_WORDS.search(regex):
        words = found[0][1:-1].lstrip("^")
        return f"{found[0]} is a class of single characters, no choice between words", f"write ({words})"
    # The only parser that agrees with re; it has no public name.
    tree: Any = import_module("re._parser").parse(regex)
    if _backtracks(tree):
        return (
            "the regex repeats a repetition, so that a hostile value could keep it busy for years",
            "let every repeated part begin or end with a character that the rest of it cannot be",
        )
    # Only now is it safe to try it on anything.
    compiled = re.compile(regex)
    if all(compiled.fullmatch(sample) for sample in _SAMPLES):
        return "the regex matches everything, so it limits nothing", "say what is allowed, or use max_length alone"
    return None


def _backtracks(tree: Iterable[tuple[Any, Any]], *, repeated: bool = False) -> bool:
    items = list(tree)
    if repeated and _ambiguous(items):
        return True
    if _many_in_a_row(items):
        return True
    return any(_backtracks(inner, repeated=repeated or again) for inner, again in _inside(items))


def _many_in_a_row(items: list[tuple[Any, Any]]) -> bool:
    """Whether more than two endless repetitions could share the same stretch of text."""
    row: list[frozenset[int]] = []
    for op, argument in items:
        if str(op) in _REPEATS and argument[1] > _LONG:
            row.append(_chars(argument[2]))
            if sum(bool(row[-1] & other) for other in row) > _MANY:
                return True
        elif str(op) in _SINGLE:
            fence = _chars([(op, argument)])
            row = [chars for chars in row if chars & fence]
    return False


def _ambiguous(body: list[tuple[Any, Any]]) -> bool:
    """Whether text could be cut into rounds of the repeated ``body`` in more than one way, as far as can be told."""
    branches = [argument[1] for op, argument in body if str(op) == "BRANCH"]
    for options in branches:
        firsts = [_first(list(option)) for option in options]
        if any(firsts[i] & firsts[j] for i in range(len(firsts)) for j in range(i)):
            return True
    flexible = [_chars(argument[2]) for op, argument in body if str(op) in _REPEATS and argument[0] != argument[1]]
    flexible += [_chars(argument[3]) for op, argument in body if str(op) == "SUBPATTERN" and _flexible(argument[3])]
    if not flexible:
        return False
    if len(body) == 1 and str(body[0][0]) == "SUBPATTERN":
        return False  # the same round in parentheses: it is looked at when it is reached
    loose = frozenset[int]().union(*flexible)
    fences = [_chars([body[0]]), _chars([body[-1]])]
    fixed = [str(body[0][0]) in _SINGLE, str(body[-1][0]) in _SINGLE]
    return not any(is_fixed and not fence & loose for is_fixed, fence in zip(fixed, fences, strict=True))


def _flexible(tree: Any) -> bool:
    low, high = tree.getwidth()
    return low != high


def _inside(items: list[tuple[Any, Any]]) -> list[tuple[Any, bool]]:
    """The trees one level down, each with whether it stands in a repetition."""
    found: list[tuple[Any, bool]] = []
    for op, argument in items:
        match str(op):
            case "MAX_REPEAT" | "MIN_REPEAT":
                found.append((argument[2], argument[1] > 1))
            case "SUBPATTERN":
                found.append((argument[3], False))
            case "BRANCH":
                found += [(option, False) for option in argument[1]]
            case "ASSERT" | "ASSERT_NOT":
                found.append((argument[1], False))
            case "ATOMIC_GROUP":
                found.append((argument, False))
            case _:
                pass
    return found


def _first(items: list[tuple[Any, Any]]) -> frozenset[int]:
    """Characters that text matched by ``items`` may begin with; everything where that is not plain."""
    if not items:
        return _EVERYTHING
    op, argument = items[0]
    match str(op):
        case "LITERAL" | "IN" | "NOT_LITERAL" | "ANY":
            return _chars([items[0]])
        case "SUBPATTERN":
            return _first(list(argument[3]))
        case "MAX_REPEAT" | "MIN_REPEAT" if argument[0] > 0:
            return _first(list(argument[2]))
        case _:
            return _EVERYTHING


def _chars(items: Iterable[tuple[Any, Any]]) -> frozenset[int]:
    """Characters that may occur in text matched by ``items``."""
    found: set[int] = set()
    for op, argument in items:
        match str(op):
            case "LITERAL":
                found.add(min(argument, 256))
            case "NOT_LITERAL":
                found |= _EVERYTHING - {argument}
            case "IN":
                found |= _of_class(argument)
            case "MAX_REPEAT" | "MIN_REPEAT":
                found |= _chars(argument[2])
            case "SUBPATTERN":
                found |= _chars(argument[3])
            case "BRANCH":
                for option in argument[1]:
                    found |= _chars(option)
            case "AT" | "ASSERT" | "ASSERT_NOT":
                pass
            case _:
                return _EVERYTHING
    return frozenset(found)


def _of_class(members: Iterable[tuple[Any, Any]]) -> set[int]:
    found: set[int] = set()
    negated = False
    for op, argument in members:
        match str(op):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found.add(min(argument, 256))
            case "RANGE":
                found.update(range(min(argument[0], 256), min(argument[1], 256) + 1))
            case "CATEGORY":
                found |= _of_category(str(argument))
            case _:
                return set(_EVERYTHING)
    # What lies beyond 255 is one lump, so a negated class may always hold some of it.
    return (set(_EVERYTHING) - found) | {256} if negated else found


def _of_category(name: str) -> set[int]:
    tests = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}
    plain = name.removeprefix("CATEGORY_").removeprefix("NOT_")
    if plain not in tests:
        return set(_EVERYTHING)
    inside = {code for code in range(256) if re.fullmatch(tests[plain], chr(code))} | {256}
    return (set(range(256)) - inside) | {256} if "NOT_" in name else inside
