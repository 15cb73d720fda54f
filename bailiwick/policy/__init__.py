"""What a tool may do, written down: the model of a policy, and how it is read and checked."""

from bailiwick.policy.against_schema import check_against_schema
from bailiwick.policy.load import load_policies, load_policy
from bailiwick.policy.loaded import LoadedPolicy
from bailiwick.policy.model import (
    Approval,
    ArgRule,
    EarlierCall,
    Effect,
    Endpoint,
    Files,
    InlineTest,
    Limits,
    Lookup,
    Network,
    Origin,
    Output,
    Policy,
    Preceding,
    RateLimit,
    Rule,
    SandboxPolicy,
    Used,
)
from bailiwick.policy.reach import check_reach

__all__ = [
    "Approval",
    "ArgRule",
    "EarlierCall",
    "Effect",
    "Endpoint",
    "Files",
    "InlineTest",
    "Limits",
    "LoadedPolicy",
    "Lookup",
    "Network",
    "Origin",
    "Output",
    "Policy",
    "Preceding",
    "RateLimit",
    "Rule",
    "SandboxPolicy",
    "Used",
    "check_against_schema",
    "check_reach",
    "load_policies",
    "load_policy",
]
