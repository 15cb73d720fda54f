"""Tools declared in code, at the top of a module, as a user would. A container imports this file too."""

from typing import Any

from bailiwick import Policy, Rule, SandboxPolicy, tool

TEXT: dict[str, Any] = {"text": {"type": "string", "max_length": 20}}
SHORT = Rule(id="short", decision="allow", agents=("any",), args=TEXT, reason="short texts may be counted")
TOO_LONG: Any = {"agent": "a", "args": {"text": "x" * 21}, "expect": "deny", "because": "max_length"}


@tool(policy=Policy(effect="read", rules=(SHORT,), tests=(TOO_LONG,)))
def count_letters(text: str) -> int:
    """Count the letters of a text."""
    return len(text)


@tool(policy=Policy(sandbox=SandboxPolicy()))
def nobody_may(text: str) -> str:
    """Its policy has no rule."""
    return text
