"""What one decision of the gate costs, explanation included.

    python -m benchmarks.gate [--rounds 20000] [--json]

Each case is the desk's own ``refund_order`` policy or a longer one made of its rules; every decision is timed alone
with ``perf_counter_ns``, whose own cost (measured in the same run) is not taken off. The policy is compiled before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from bailiwick.gate import Call, Context, PastCall, decide
from bailiwick.policy import LoadedPolicy, Policy, load_policy

POLICIES = Path(__file__).resolve().parent.parent / "policies"
LOOKED_UP = PastCall(tool="lookup_order", args={"order_id": "ORD-000001", "customer_id": "C-1001"}, ok=True)
OTHER = PastCall(tool="lookup_order", args={"order_id": "ORD-000002", "customer_id": "C-1001"}, ok=True)
Case = tuple[LoadedPolicy, Call, Context]


def refund(amount: object) -> Call:
    args = {"order_id": "ORD-000001", "amount": amount, "reason": "The blanket arrived with a pulled thread."}
    return Call(id="call-1", tool="refund_order", agent="support", args=args)


def cases() -> dict[str, Case]:
    desk = load_policy(POLICIES / "refund_order.yaml")
    rules = [
        rule.model_copy(update={"id": f"{rule.id}-{n}", "agents": (f"agent-{n}",)})
        for n in range(25)
        for rule in desk.policy.rules
    ]
    long = LoadedPolicy(policy=Policy(tool="refund_order", rules=(*rules, *desk.policy.rules)), file=desk.file)
    known = Context(session={"user_id": "C-1001"}, past=(LOOKED_UP,))
    old = Context(session={"user_id": "C-1001"}, past=(*[OTHER] * 199, LOOKED_UP))
    tainted = Context(session={"user_id": "C-1001"}, past=(LOOKED_UP,), untrusted=("read_attachment",))
    return {
        "allowed": (desk, refund(20), known),
        "asked": (desk, refund(120), known),
        "denied by a bound, explained": (desk, refund(900), known),
        "denied by what came before, explained": (desk, refund(20), Context()),
        "denied by untrusted content": (desk, refund(20), tainted),
        "malformed": (desk, refund(float("nan")), known),
        "52 rules, allowed by the last but one": (long, refund(20), known),
        "52 rules, denied, explained": (long, refund(900), known),
        "200 calls before, the last one counts": (desk, refund(20), old),
    }


def measure(case: Case, rounds: int) -> dict[str, float]:
    loaded, call, context = case
    clock = time.perf_counter_ns
    for _ in range(200):
        decide(call, loaded, context)
    taken: list[int] = []
    for _ in range(rounds):
        started = clock()
        decide(call, loaded, context)
        taken.append(clock() - started)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_us": cuts[49] / 1000, "p95_us": cuts[94] / 1000, "p99_us": cuts[98] / 1000}


def clock_cost(rounds: int) -> float:
    """Microseconds between two readings of the clock, median."""
    clock = time.perf_counter_ns
    return statistics.median(-(clock() - clock()) for _ in range(rounds)) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {name: measure(case, options.rounds) for name, case in cases().items()}
    found["clock_us"] = clock_cost(options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'case':40} {'p50':>8} {'p95':>8} {'p99':>8}   microseconds; the clock itself {found.pop('clock_us'):.2f}")
    for name, figures in found.items():
        print(f"{name:40} {figures['p50_us']:8.1f} {figures['p95_us']:8.1f} {figures['p99_us']:8.1f}")


if __name__ == "__main__":
    main()
