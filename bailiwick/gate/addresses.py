"""The addresses that stand in a text: what somebody who reads it would go to, write to, call or pay into."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from bailiwick.gate.origins import leaves
from bailiwick.gate.readings import whole_date

__all__ = ["addresses"]

_MOST = 200
_ADDRESS = re.compile(
    r"(?P<page>(?:https?|ftp|file|data|javascript)://?[^\s<>\"'`)\]}]{1,2000})"
    r"|(?P<mailbox>[\w.%+-]{1,64}@[\w-]{1,63}(?:[.][\w-]{1,63}){0,8})"
    r"|(?P<host>(?<![\w@.-])(?:[\w-]{1,63}[.]){1,8}[^\W\d_]{2,24}(?::\d{1,5})?(?:/[^\s<>\"'`)\]}]{0,2000})?(?![\w@]))"
    r"|(?P<ip>(?<![\w.])\d{1,3}(?:[.]\d{1,3}){3}(?::\d{1,5})?(?:/[^\s<>\"'`)\]}]{0,2000})?(?![\w]))"
    r"|(?P<account>(?<![^\W_])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![^\W_]))"
    r"|(?P<telephone>(?<![\w+])[+]?\d(?:[ ()./-]{0,2}\d){6,18}(?!\w))"
)


def addresses(value: Any) -> list[str]:
    """Pages, hosts, mailboxes, account and telephone numbers in the texts of ``value``, without the stops behind them.

    What is no address but looks like one, such as ``report.txt``, is found too: to ask once too often is the lesser
    harm. What only a person would take for one ("shop dot example") is not. At most 200 are found; of a text that
    holds more, the whole text counts as one that came from nowhere.
    """
    found: list[str] = []
    for leaf in leaves(value):
        if isinstance(leaf, str):
            stand_there = (each.group().rstrip(".,;:!?") for each in islice(_ADDRESS.finditer(leaf), _MOST + 1))
            found += [each for each in stand_there if whole_date(each) is None]
        if len(found) > _MOST:
            return [leaf]
    return found
