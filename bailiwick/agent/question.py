"""What is checked of a question before anything of it is stored or sent."""

from __future__ import annotations

import re

from bailiwick.errors import InputRefused

__all__ = ["check_question"]

# Everything below space but tab, newline and carriage return: no keyboard makes them, and terminals obey them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def check_question(question: str, *, limit: int) -> str:
    """The question without surrounding space. Raises InputRefused when it is empty, too long or not text."""
    text = question.strip()
    if not text:
        raise InputRefused("the question is empty", fix="write something to ask")
    if len(text) > limit:
        raise InputRefused(
            f"the question has {len(text)} characters and at most {limit} are taken",
            fix="ask in fewer words, or send the text as an attachment",
        )
    if found := _CONTROL.search(text):
        raise InputRefused(
            f"the question holds a control character (U+{ord(found[0]):04X} at {found.start()})", fix="send plain text"
        )
    return text
