"""Which tool calls were begun and which came back; which questions were put to people."""

from bailiwick.ledger.calls import Begun, CallLedger, Entry, Finished, Happened, LeftOpen
from bailiwick.ledger.questions import Asked, Questions

__all__ = ["Asked", "Begun", "CallLedger", "Entry", "Finished", "Happened", "LeftOpen", "Questions"]
