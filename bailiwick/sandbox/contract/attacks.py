"""What is tried, all of it. A new kind of sandbox is right when it withstands every one."""

from __future__ import annotations

from bailiwick.sandbox.contract.answering import ANSWERING
from bailiwick.sandbox.contract.attack import HOSTILE, Attack
from bailiwick.sandbox.contract.escaping import ESCAPING
from bailiwick.sandbox.contract.exhausting import EXHAUSTING
from bailiwick.sandbox.contract.going_out import GOING_OUT
from bailiwick.sandbox.contract.keeping_secrets import KEEPING_SECRETS
from bailiwick.sandbox.contract.kernel_calls import KERNEL_CALLS
from bailiwick.sandbox.contract.leaving import LEAVING
from bailiwick.sandbox.contract.networking import NETWORKING
from bailiwick.sandbox.contract.reaching import REACHING
from bailiwick.sandbox.contract.taking_back import TAKING_BACK

__all__ = ["ATTACKS", "HOSTILE"]

ATTACKS: tuple[Attack, ...] = (
    *REACHING,
    *KERNEL_CALLS,
    *ESCAPING,
    *NETWORKING,
    *GOING_OUT,
    *LEAVING,
    *TAKING_BACK,
    *KEEPING_SECRETS,
    *ANSWERING,
    *EXHAUSTING,
)
