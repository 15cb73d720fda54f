"""Which tool calls were begun and which came back."""

from bailiwick.ledger.calls import Begun, CallLedger, Entry, Finished, LeftOpen

__all__ = ["Begun", "CallLedger", "Entry", "Finished", "LeftOpen"]
