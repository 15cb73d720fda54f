"""A policy's own tests, run through the gate whenever it is bound to a tool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bailiwick.errors import PolicyError
from bailiwick.gate.decide import decide
from bailiwick.gate.origins import Origins, Source, leaves, result_sources
from bailiwick.gate.verdict import Allow, Call, Context, PastCall, Verdict
from bailiwick.policy import InlineTest, LoadedPolicy

__all__ = ["InlineOutcome", "check_tests", "run_tests"]


def check_tests(loaded: LoadedPolicy) -> None:
    """Raise PolicyError for the first inline test that does not come out as its author expects. No tests: nothing."""
    for outcome in run_tests(loaded):
        if outcome.problem is not None:
            raise outcome.problem


@dataclass(frozen=True, kw_only=True)
class InlineOutcome:
    """How one inline test came out. ``problem`` None: as its author expects."""

    test: InlineTest
    where: str
    """``file:line`` of the test."""
    verdict: Verdict
    problem: PolicyError | None


def run_tests(loaded: LoadedPolicy) -> Iterator[InlineOutcome]:
    """Every inline test of ``loaded``, in the order of the file. Raises nothing."""
    for n, test in enumerate(loaded.policy.tests):
        verdict = _run(test, loaded)
        problem = _problem(loaded, n, test, verdict)
        yield InlineOutcome(test=test, where=loaded.where(f"tests.{n}"), verdict=verdict, problem=problem)


def _problem(loaded: LoadedPolicy, n: int, test: InlineTest, verdict: Verdict) -> PolicyError | None:
    if (got := verdict.decision) != test.expect:
        return _failed(loaded, n, "expect", f"expected {test.expect}, got {got}{_by(verdict)}")
    if test.because is not None and not _is_because(test.because, verdict):
        expected = f"{got} because of {test.because!r}"
        return _failed(loaded, n, "because", f"expected {expected}, got {got}{_by(verdict)}")
    return None


def _run(test: InlineTest, loaded: LoadedPolicy) -> Verdict:
    past = tuple(PastCall(tool=each.tool, args=each.args, ok=each.ok) for each in test.after)
    context = Context(
        session=test.session,
        past=past,
        untrusted=("a test",) if test.untrusted else (),
        origins=Origins(_sources(test)),
        used={(rule.id, n): test.used for rule in loaded.policy.rules for n in range(len(rule.limits))},
    )
    return decide(Call(id="test", tool=loaded.policy.tool, agent=test.agent, args=test.args), loaded, context)


def _sources(test: InlineTest) -> Iterator[Source]:
    if test.user:
        yield Source(label="user", values=(test.user,))
    if test.session:
        yield Source(label="operator", values=tuple(leaves(test.session)))
    for each in test.after:
        yield from result_sources(each.tool, each.result, trust=each.trust)


def _is_because(because: str, verdict: Verdict) -> bool:
    """The rule's id, the key that decided, or a part of it: ``amount`` and ``le`` are both in ``args.amount.le``."""
    key = "" if isinstance(verdict, Allow) else verdict.key
    return because in (verdict.rule, key, *key.split("."))


def _by(verdict: Verdict) -> str:
    key = "" if isinstance(verdict, Allow) or not verdict.key else f", key {verdict.key!r}"
    rule = f" by the rule {verdict.rule!r}" if verdict.rule else ""
    return f"{rule}{key}: {verdict.reason}"


def _failed(loaded: LoadedPolicy, n: int, part: str, message: str) -> PolicyError:
    key = f"tests.{n}.{part}"
    return PolicyError(
        message,
        file=loaded.file,
        line=loaded.line(key),
        key=key,
        fix="correct the rules if the test is right, or the test if the rules are",
    )
