"""The attacks that every sandbox must withstand, as data: the tests run them, and so can whoever doubts a machine."""

from bailiwick.sandbox.contract.attack import Attack, Attempt, CannotBeTried, Ending, Outcome, Scene, run_attack
from bailiwick.sandbox.contract.attacks import ATTACKS

__all__ = ["ATTACKS", "Attack", "Attempt", "CannotBeTried", "Ending", "Outcome", "Scene", "run_attack"]
