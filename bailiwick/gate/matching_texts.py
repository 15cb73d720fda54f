"""Texts that a regular expression matches, by a walk over what Python's own parser makes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

__all__ = ["matching_texts"]

_LONG = 5000


def matching_texts(regex: str) -> list[str]:
    """Some texts that ``regex`` matches as a whole; none where it is too odd to write one by a simple walk."""
    tree: Any = import_module("re._parser").parse(regex)
    matches = re.compile(regex).fullmatch
    made = (_text(tree, last=last, more=more) for last in (False, True) for more in (0, 1, 20))
    return [text for text in dict.fromkeys(made) if len(text) <= _LONG and matches(text)]


def _text(tree: Iterable[tuple[Any, Any]], *, last: bool, more: int) -> str:
    """A text by walking ``tree``: the first or ``last`` of each choice, and ``more`` rounds than the fewest."""
    return "".join(_item(str(op), argument, last=last, more=more) for op, argument in tree)


def _item(op: str, argument: Any, *, last: bool, more: int) -> str:
    match op:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "x" if argument != ord("x") else "y"
        case "ANY":
            return "x"
        case "IN":
            return _member(argument, last=last)
        case "MAX_REPEAT" | "MIN_REPEAT":
            rounds = min(argument[1], argument[0] + more, _LONG)
            return _text(argument[2], last=last, more=more if rounds < 50 else 0) * rounds
        case "SUBPATTERN":
            return _text(argument[3], last=last, more=more)
        case "BRANCH":
            return _text(argument[1][-1 if last else 0], last=last, more=more)
        case _:
            return ""


def _member(members: Sequence[tuple[Any, Any]], *, last: bool) -> str:
    if str(members[0][0]) == "NEGATE":
        return "~" if last else "x"  # a guess: a text that does not match is left out
    op, argument = members[-1 if last else 0]
    match str(op):
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return chr(argument[1 if last else 0])
        case "CATEGORY":
            return {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "w"}.get(str(argument), "-")
        case _:
            return ""
