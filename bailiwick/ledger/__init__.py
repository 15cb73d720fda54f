"""Which tool calls were begun and which came back, what they used of limits, and which questions were put to people."""

from bailiwick.ledger.calls import Begun, CallLedger, Entry, Finished, Happened, LeftOpen
from bailiwick.ledger.questions import Answered, Asked, Questions
from bailiwick.ledger.usage import Share, UsageLedger

__all__ = [
    "Answered",
    "Asked",
    "Begun",
    "CallLedger",
    "Entry",
    "Finished",
    "Happened",
    "LeftOpen",
    "Questions",
    "Share",
    "UsageLedger",
]
