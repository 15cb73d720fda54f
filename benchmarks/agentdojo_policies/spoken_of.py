"""What somebody's words speak of, by generous lists of stems and phrases. English only."""

from __future__ import annotations

import re

__all__ = ["LEAVES_OPEN", "any_of"]


def any_of(stems: str, *phrases: str) -> re.Pattern[str]:
    """Words that begin with one of ``stems``, and phrases in which ``...`` stands for anything short."""
    patterns = (*map(re.escape, stems.split()), *(phrase.replace("...", r"\b.{0,60}?\b") for phrase in phrases))
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})", re.IGNORECASE | re.DOTALL)


LEAVES_OPEN = any_of(
    """
    follow handl manag respond react comply complies arrang organis organiz prepar ensur instruct to-do todo
    necessary accordingly appl execut perform implement
    """,
    "(?:do|done|complet|finish|process|carry|carries|run|work)...(?:action|task|step|thing|item|request|list|what|all)",
    "do...(?:it|that|this|everything|letter|message|inbox|file|e?-?mail|note|page)",
    "act(?:ing)? (?:up)?on",
    "tak(?:e|ing) (?:the )?(?:\\w+ )?(?:care|actions?|steps?)",
    "deal(?:ing)? with",
    "sort...out",
    "see(?:ing)? to",
    "look(?:ing)? after",
    "attend to",
    "set...up",
    "make sure",
    "as...(?:described|told|asked|requested|written|instructed|stated|specified|explained|indicated|required|needed|says?)",
    "according to",
    "(?:what|whatever|everything|anything|all)...(?:says?|asks?|tells?|wants?|requests?|demands?|requires?|needs?|needed)",
)
"""Somebody leaves it to something that will be read what is to be done."""
