"""What one decision of the gate costs, explanation included.

    python -m benchmarks.gate [--rounds 20000] [--cedar] [--json]

Each case is the desk's own ``refund_order`` policy or a longer one made of its rules; every decision is timed alone
with ``perf_counter_ns``, whose own cost (measured in the same run) is not taken off. The policy is compiled before;
what an argument is traced to is looked for anew in every decision. ``--cedar`` measures cedarpy in the same run, in an
environment of its own, on a project of a hundred tools as ours is measured there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bailiwick.gate import Call, Context, Origins, PastCall, Source, decide
from bailiwick.policy import ArgRule, LoadedPolicy, Policy, Rule, load_policy
from benchmarks.peers.environment import environment_with

POLICIES = Path(__file__).resolve().parent.parent / "policies"
LOOKED_UP = PastCall(tool="lookup_order", args={"order_id": "ORD-000001", "customer_id": "C-1001"}, ok=True)
OTHER = PastCall(tool="lookup_order", args={"order_id": "ORD-000002", "customer_id": "C-1001"}, ok=True)
SAID = Source(label="user", values=("Refund 20 euro, or 120, or 900, of ORD-000001: it has a pulled thread.",))
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
    known = Context(session={"user_id": "C-1001"}, past=(LOOKED_UP,), origins=Origins([SAID]))
    old = replace(known, past=(*[OTHER] * 199, LOOKED_UP))
    tainted = replace(known, untrusted=("read_attachment",))
    return {
        "allowed": (desk, refund(20), known),
        "asked": (desk, refund(120), known),
        "asked about where a value comes from": (desk, refund(30), known),
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
        context = replace(context, origins=Origins(context.origins.sources))  # it remembers what it has found
        started = clock()
        decide(call, loaded, context)
        taken.append(clock() - started)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_us": cuts[49] / 1000, "p95_us": cuts[94] / 1000, "p99_us": cuts[98] / 1000}


def hundred_tools(rounds: int) -> dict[str, float]:
    """Medians on a project of a hundred tools, a call of another one each time, with the conditions that Cedar has."""
    args = {
        "order_id": ArgRule(type="string", regex="ORD-.{0,20}"),
        "amount": ArgRule(type="integer", gt=Decimal(0), le=Decimal(50)),
    }
    rule = Rule(id="small", decision="allow", agents=("support",), args=args, reason="a small refund")
    tools = {
        name: LoadedPolicy(policy=Policy(tool=name, rules=(rule,)), file=Path(f"{name}.yaml"))
        for name in (f"refund_{n}" for n in range(100))
    }
    context = Context()
    found: dict[str, float] = {}
    for what, amount in (("allowed_us", 20), ("denied_us", 900)):
        taken: list[int] = []
        for n in range(rounds + 200):
            given = {"order_id": "ORD-000001", "amount": amount}
            call = Call(id="c", tool=f"refund_{n % 100}", agent="support", args=given)
            started = time.perf_counter_ns()
            decide(call, tools[call.tool], context)
            taken.append(time.perf_counter_ns() - started)
        found[what] = statistics.median(taken[200:]) / 1000
    return found


def cedar(rounds: int) -> dict[str, Any]:
    """The same by cedarpy."""
    program = Path(__file__).with_name("peers") / "cedar.py"
    command = [str(environment_with("cedarpy==4.12.2")), "-P", str(program), str(rounds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def clock_cost(rounds: int) -> float:
    """Microseconds between two readings of the clock, median."""
    clock = time.perf_counter_ns
    return statistics.median(-(clock() - clock()) for _ in range(rounds)) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--cedar", action="store_true", help="measure cedarpy beside it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {name: measure(case, options.rounds) for name, case in cases().items()}
    found["clock_us"] = clock_cost(options.rounds)
    beside = {"ours": hundred_tools(options.rounds)} | ({"cedar": cedar(options.rounds)} if options.cedar else {})
    if options.json:
        print(json.dumps({**found, "hundred_tools": beside}))
        return
    print(f"{'case':40} {'p50':>8} {'p95':>8} {'p99':>8}   microseconds; the clock itself {found.pop('clock_us'):.2f}")
    for name, figures in found.items():
        print(f"{name:40} {figures['p50_us']:8.1f} {figures['p95_us']:8.1f} {figures['p99_us']:8.1f}")
    for name, figures in beside.items():
        print(f"100 tools, {name}: {figures['allowed_us']:.1f} allowed, {figures['denied_us']:.1f} denied")


if __name__ == "__main__":
    main()
