"""The gate: may this call happen? One function, and the values it takes and gives."""

from bailiwick.gate.decide import decide
from bailiwick.gate.inline_tests import check_tests
from bailiwick.gate.matching_texts import matching_texts
from bailiwick.gate.origins import NOWHERE, Origins, Source, leaves, result_sources
from bailiwick.gate.verdict import Allow, Ask, Call, Context, Deny, PastCall, Verdict
from bailiwick.gate.vouching import vouched_for

__all__ = [
    "NOWHERE",
    "Allow",
    "Ask",
    "Call",
    "Context",
    "Deny",
    "Origins",
    "PastCall",
    "Source",
    "Verdict",
    "check_tests",
    "decide",
    "leaves",
    "matching_texts",
    "result_sources",
    "vouched_for",
]
