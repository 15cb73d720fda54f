"""The only way from a tool call to a sandbox: gate → ledger → sandbox → result."""

from bailiwick.toolbox.agent_tools import AgentTools, Offer
from bailiwick.toolbox.approval import question_digest
from bailiwick.toolbox.happenings import listening, tell
from bailiwick.toolbox.in_code import tool
from bailiwick.toolbox.inside_only import idempotency_key, output, secret
from bailiwick.toolbox.node import pending_calls, tool_node, tools_condition
from bailiwick.toolbox.record import CallRecord, record_of
from bailiwick.toolbox.registered import CallSite, RegisteredTool
from bailiwick.toolbox.session import Session, session_values
from bailiwick.toolbox.toolbox import Toolbox

__all__ = [
    "AgentTools",
    "CallRecord",
    "CallSite",
    "Offer",
    "RegisteredTool",
    "Session",
    "Toolbox",
    "idempotency_key",
    "listening",
    "output",
    "pending_calls",
    "question_digest",
    "record_of",
    "secret",
    "session_values",
    "tell",
    "tool",
    "tool_node",
    "tools_condition",
]
