"""A fresh container for each call: the room behind ``Sandbox``.

``compile_spec`` says what a policy's container can touch, ``open_sandbox`` opens what is here to hold it.
"""

from bailiwick.sandbox.compile_policy import compile_spec, inside_path
from bailiwick.sandbox.describe import describe_tools
from bailiwick.sandbox.diagnosis import diagnose
from bailiwick.sandbox.egress import EgressEvent
from bailiwick.sandbox.evidence import read_evidence
from bailiwick.sandbox.opening import Kind, open_sandbox
from bailiwick.sandbox.pool_settings import PoolSettings
from bailiwick.sandbox.scripted import ScriptedSandbox
from bailiwick.sandbox.spec import ExitCause, Mount, OutputFile, Request, Result, Sandbox, Spec, ToolFailure

__all__ = [
    "EgressEvent",
    "ExitCause",
    "Kind",
    "Mount",
    "OutputFile",
    "PoolSettings",
    "Request",
    "Result",
    "Sandbox",
    "ScriptedSandbox",
    "Spec",
    "ToolFailure",
    "compile_spec",
    "describe_tools",
    "diagnose",
    "inside_path",
    "open_sandbox",
    "read_evidence",
]
