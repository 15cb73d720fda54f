"""The gate: may this call happen? One function, and the values it takes and gives."""

from bailiwick.gate.decide import decide
from bailiwick.gate.inline_tests import check_tests
from bailiwick.gate.verdict import Allow, Ask, Call, Context, Deny, PastCall, Verdict

__all__ = ["Allow", "Ask", "Call", "Context", "Deny", "PastCall", "Verdict", "check_tests", "decide"]
