"""A decision by Cedar, through cedarpy, on a project of a hundred tools: run by an environment that holds the package.

    PYTHON benchmarks/peers/cedar.py ROUNDS    → {"cedarpy": VERSION, "allowed_us": …, "denied_us": …}

One policy a tool with the same conditions as ours, parsed once; of a decision Cedar gives the policy that decided, and
no explanation of a denial.
"""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import sys
import time

import cedarpy

POLICY = """
permit(principal == Agent::"support", action == Action::"refund_{n}", resource)
when {{ context.order_id like "ORD-*" && context.amount > 0 && context.amount <= 50 }};
"""


def measured(amount: int, rounds: int) -> float:
    policies = cedarpy.PolicySet.from_str("".join(POLICY.format(n=n) for n in range(100)))
    entities = cedarpy.Entities.from_json_str("[]")
    taken: list[int] = []
    for n in range(rounds):
        request = {
            "principal": 'Agent::"support"',
            "action": f'Action::"refund_{n % 100}"',
            "resource": 'Shop::"shop"',
            "context": {"order_id": "ORD-000001", "amount": amount},
        }
        begun = time.perf_counter_ns()
        found = cedarpy.is_authorized(request, policies, entities)
        taken.append(time.perf_counter_ns() - begun)
        assert found.allowed == (amount <= 50), found.diagnostics.errors
    return statistics.median(taken) / 1000


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    version = importlib.metadata.version("cedarpy")
    figures = {"allowed_us": measured(20, rounds), "denied_us": measured(900, rounds)}
    sys.stdout.write(json.dumps({"cedarpy": version, **figures}) + "\n")
