"""Tools declared in code, at the top of a module, as a user would."""

from bailiwick import Policy, Rule, SandboxPolicy, tool
from bailiwick.policy import ArgRule, InlineTest


@tool(
    policy=Policy(
        effect="read",
        rules=(
            Rule(
                id="short",
                decision="allow",
                agents=("any",),
                args={"text": ArgRule(type="string", max_length=20)},
                reason="short texts may be counted",
            ),
        ),
        tests=(InlineTest(agent="a", args={"text": "x" * 21}, expect="deny", because="max_length"),),
    )
)
def count_letters(text: str) -> int:
    """Count the letters of a text."""
    return len(text)


@tool(policy=Policy(sandbox=SandboxPolicy()))
def nobody_may(text: str) -> str:
    """Its policy has no rule."""
    return text
