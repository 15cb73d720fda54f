"""The least policy that would have let the recorded calls of a tool through, checked before anybody is shown it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bailiwick.errors import InputRefused, PolicyError
from bailiwick.gate import Allow, Call, Verdict, decide
from bailiwick.gate.json_value import malformed
from bailiwick.gate.lint import lint
from bailiwick.policy import LoadedPolicy, Output, Policy, load_policy
from bailiwick.replay.circumstances import Circumstances, in_order
from bailiwick.replay.recorded import Conversation, RecordedCall
from bailiwick.replay.seen import Seen, calls_of
from bailiwick.replay.suggested_rule import SuggestedRule, suggested_rule
from bailiwick.replay.suggested_tests import suggested_tests
from bailiwick.replay.suggested_text import policy_text

__all__ = ["Suggestion", "suggest", "tools_seen"]

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A policy's text, and what is to be said of it. Empty ``uncovered``: it does what it was made for."""

    tool: str
    text: str
    loaded: LoadedPolicy
    calls: int
    """Those that it was made from."""
    uncovered: tuple[str, ...]
    """Calls that ran and that it would not let through in the same way."""
    remarks: tuple[str, ...]
    """What else a person should know: calls that were left out, denied ones that it would allow."""


def tools_seen(conversations: Sequence[Conversation]) -> list[str]:
    """Tools of which at least one call ran as it should."""
    ran = {call.tool for each in conversations for call in each.calls if _usable(call)}
    return sorted(tool for tool in ran if _NAME.fullmatch(tool))


def suggest(
    tool: str,
    conversations: Sequence[Conversation],
    *,
    policies: Mapping[str, LoadedPolicy],
    also: Sequence[str] = (),
) -> Suggestion:
    """The least policy for ``tool``. ``policies`` are those of the project, ``also`` tools that will have one beside.

    Calls that were denied widen nothing, and those that a person approved become a rule that asks. Raises InputRefused
    where no call of the tool ran.
    """
    trust = _recorded_trust(tool, conversations)
    # What it gave counts for its own later calls too, and then as the suggested policy will say.
    bare = LoadedPolicy(policy=Policy(output=Output(trust=trust)), file=Path(f"{tool}.yaml"))
    seen = calls_of(tool, conversations, {tool: bare, **policies})
    usable = [each for each in seen if _usable(each.call)]
    if not usable:
        have = ", ".join(tools_seen(conversations)) or "none"
        raise InputRefused(
            f"no call of {tool!r} is recorded whole that was let through and ran (such calls are there of: {have})",
            fix="name one of those tools, or record conversations in which it is called",
        )
    maker = _Maker(tool, conversations, seen, policies, dict.fromkeys([*policies, *also]), trust)
    return maker.made()


class _Maker:
    def __init__(
        self,
        tool: str,
        conversations: Sequence[Conversation],
        seen: Sequence[Seen],
        policies: Mapping[str, LoadedPolicy],
        tools: Mapping[str, Any],
        trust: Literal["trusted", "untrusted"],
    ) -> None:
        self._tool = tool
        self._conversations = conversations
        self._seen = seen
        self._policies = policies
        self._existing = policies.get(tool)
        self._tools = tools
        self._trust: Literal["trusted", "untrusted"] = trust
        usable = [each for each in seen if _usable(each.call)]
        self._allowed = [each for each in usable if each.call.decision == "allow"]
        self._approved = [each for each in usable if each.call.decision == "ask"]
        tainted = {
            kind: [each for each in several if each.context.untrusted]
            for kind, several in (("allow", self._allowed), ("ask", self._approved))
        }
        self._on_untrusted: Literal["allow", "ask", "deny"] = (
            "allow" if tainted["allow"] else "ask" if tainted["ask"] else "deny"
        )
        self._tainted = tainted["allow"] or tainted["ask"]

    def made(self) -> Suggestion:
        rules = [self._rule(self._allowed, "allow")] if self._allowed else []
        loaded = self._loaded(rules)
        asked = [each for each in self._approved if loaded is None or self._decisions(loaded)[id(each.call)] != "ask"]
        rules, loaded = self._with_question(rules, loaded, asked)
        rules = [rule.limited(self._under(rule, loaded)) for rule in rules]
        loaded = _load(self._tool, self._text(rules))
        verdicts = self._verdicts(loaded)
        remarks = self._remarks(verdicts)
        uncovered = self._uncovered(verdicts)
        by_rule = {rule.id: rule.seen for rule in rules}
        tests = suggested_tests(loaded, by_rule)
        loud = [f"NOT COVERED: {each}" for each in uncovered] + list(remarks)
        text = self._text(rules, tests=tests, remarks=loud)
        try:
            final = _load(self._tool, text)
        except AssertionError:  # arguments may be so large that no policy's file holds them as a test
            text = self._text(rules, remarks=loud)
            final = _load(self._tool, text)
        for remark in lint(final):
            if remark.severity == "problem":
                raise AssertionError(f"a suggested policy has a problem: {remark.where}: {remark.message}\n{text}")
        return Suggestion(
            tool=self._tool,
            text=text,
            loaded=final,
            calls=len(self._allowed) + len(self._approved),
            uncovered=tuple(uncovered),
            remarks=tuple(remarks),
        )

    def _with_question(
        self, rules: list[SuggestedRule], loaded: LoadedPolicy | None, asked: Sequence[Seen]
    ) -> tuple[list[SuggestedRule], LoadedPolicy]:
        """With a rule that asks about ``asked``, as wide as it can be without asking about what was allowed."""
        for exact in (False, True) if asked else ():
            more = [*rules, self._rule(asked, "ask", exact=exact)]
            tried = self._loaded(more)
            if tried is not None and (not self._allowed or self._all_allowed(tried)) and not _has_problems(tried):
                return more, tried
        if loaded is None:
            raise AssertionError("unreachable: there is a rule for what was allowed, or one for what was approved")
        return rules, loaded

    def _rule(self, seen: Sequence[Seen], decision: Literal["allow", "ask"], *, exact: bool = False) -> SuggestedRule:
        return suggested_rule(seen, decision=decision, tools=self._tools, existing=self._existing, exact=exact)

    def _under(self, rule: SuggestedRule, loaded: LoadedPolicy) -> list[Seen]:
        """Calls that ``rule`` would let through, and which would use up its limits."""
        verdicts = self._verdicts(loaded)
        found = [
            each
            for each in self._seen
            if (verdict := verdicts[id(each.call)]).rule == rule.id and verdict.decision != "deny" and each.call.ran
        ]
        return found or list(rule.seen)

    def _text(
        self, rules: Sequence[SuggestedRule], *, tests: Sequence[Mapping[str, Any]] = (), remarks: Sequence[str] = ()
    ) -> str:
        return policy_text(
            self._tool,
            rules,
            on_untrusted=self._on_untrusted,
            tainted=self._tainted,
            existing=self._existing,
            trust=self._trust,
            tests=tests,
            remarks=remarks,
        )

    def _loaded(self, rules: Sequence[SuggestedRule]) -> LoadedPolicy | None:
        return _load(self._tool, self._text(rules)) if rules else None

    def _verdicts(self, loaded: LoadedPolicy) -> dict[int, Verdict]:
        """By the call's identity what ``loaded`` says of it, in the circumstances in which it was made."""
        circumstances = Circumstances(policies={**self._policies, self._tool: loaded})
        found: dict[int, Verdict] = {}
        for conversation, call in in_order(self._conversations):
            context = circumstances.context(conversation, call)
            verdict: Verdict = Allow(rule="", reason="it was recorded")
            if call.tool == self._tool:
                asked = Call(id=call.id or "recorded", tool=call.tool, agent=call.agent, args=dict(call.args))
                found[id(call)] = verdict = decide(asked, loaded, context)
            circumstances.took_place(conversation, call, verdict, context, untold=verdict.decision == "deny")
        return found

    def _decisions(self, loaded: LoadedPolicy) -> dict[int, str]:
        return {name: verdict.decision for name, verdict in self._verdicts(loaded).items()}

    def _all_allowed(self, loaded: LoadedPolicy) -> bool:
        decisions = self._decisions(loaded)
        return all(decisions[id(each.call)] == "allow" for each in self._allowed)

    def _uncovered(self, verdicts: Mapping[int, Verdict]) -> list[str]:
        return [
            f"{_named(each.call)} was {was} and would be {_FUTURE[verdict.decision]} ({verdict.reason})"
            for was, wanted, several in (
                ("allowed", "allow", self._allowed),
                ("approved by a person", "ask", self._approved),
            )
            for each in several
            if (verdict := verdicts[id(each.call)]).decision != wanted
        ]

    def _remarks(self, verdicts: Mapping[int, Verdict]) -> list[str]:
        found: list[str] = []
        for call in (each.call for each in self._seen):
            if call.ok and call.incomplete:
                found.append(f"left out: {_named(call)}, since {call.incomplete}")
            elif call.decision == "deny" and not call.incomplete and verdicts[id(call)].decision == "allow":
                found.append(f"look at this: {_named(call)} was denied ({call.reason}), and this policy would allow it")
        return found


_FUTURE = {"allow": "allowed without asking", "ask": "asked about", "deny": "denied"}


def _recorded_trust(tool: str, conversations: Sequence[Conversation]) -> Literal["trusted", "untrusted"]:
    """What the policy of then said of the tool's results, where it said the same of all; else the least."""
    worth = {call.trust for each in conversations for call in each.calls if call.tool == tool and call.ok}
    return "trusted" if worth == {"trusted"} else "untrusted"


def _usable(call: RecordedCall) -> bool:
    return (
        call.ok and call.decision in ("allow", "ask") and not call.incomplete and not malformed(dict(call.args))
    )  # what is malformed no policy lets through, whatever a file says


def _named(call: RecordedCall) -> str:
    args = ", ".join(f"{name}={str(value)[:40]!r}" for name, value in call.args.items())
    return f"{call.tool}({args}), span {call.span or 'unknown'}"


def _has_problems(loaded: LoadedPolicy) -> bool:
    return any(remark.severity == "problem" for remark in lint(loaded))


def _load(tool: str, text: str) -> LoadedPolicy:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{tool}.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return load_policy(file)
        except PolicyError as error:
            raise AssertionError(f"a suggested policy does not load: {error}\n{text}") from error
