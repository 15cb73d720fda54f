"""The attacks that every sandbox must withstand, as data: the tests run them, and so can whoever doubts a machine."""

from bailiwick.sandbox.contract.attacks import ATTACKS, Attack, Outcome, run_attack

__all__ = ["ATTACKS", "Attack", "Outcome", "run_attack"]
