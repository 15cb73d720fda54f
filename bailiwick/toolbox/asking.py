"""Putting a question to a person so that the answer counts for this question, and for as long as the policy says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from langchain.agents.middleware.human_in_the_loop import HITLRequest

from bailiwick.ledger import Questions
from bailiwick.toolbox.approval import Answer, meant_for_another, read_answer

__all__ = ["AskPerson", "Asking"]

AskPerson = Callable[[Any], Any]
"""LangGraph's ``interrupt``, or another that takes a question and gives the answer."""

_MOST = 100
"""Answers to other questions that are passed over before giving up; one resume brings one."""


@dataclass(frozen=True, kw_only=True)
class Asking:
    """``resumable``: ``ask`` raises to wait, and on a later run gives again what was answered, by position.

    ``ask`` None: no person can be asked here, and every question is answered with no.
    """

    questions: Questions
    ask: AskPerson | None
    resumable: bool

    async def put(
        self, key: str, question: HITLRequest, *, by: Sequence[str] = (), ttl: timedelta | None = None
    ) -> Answer:
        """Ask, and read the answer. ``key`` names this very question: the call, its arguments, what is asked of it.

        An answer that comes later than ``ttl`` after the question is a no. ``by`` as in ``read_answer``.
        """
        if self.ask is None:
            return Answer(decision="reject", message="nobody can be asked here")
        if not self.resumable:
            return await self._keep(key, read_answer(self.ask(question), by))
        asked = await self.questions.find(key)
        if asked is None:
            await self._put_anew(key, question, self.ask)
            raise AssertionError("unreachable: a question that is new waits")
        for _ in range(asked.passed_over):
            self.ask(question)
        resumed = self.ask(question)
        for more in range(1, _MOST):
            if not meant_for_another(resumed, question):
                break
            # The process died once this one was written and before anybody saw it: what came is for the one before.
            await self.questions.put(key, passed_over=asked.passed_over + more)
            resumed = self.ask(question)
        if ttl is not None and time.time() - asked.at > ttl.total_seconds():
            return Answer(decision="reject", message=f"it was not answered within {_span(ttl.total_seconds())}")
        return await self._keep(key, read_answer(resumed, by))

    async def _keep(self, key: str, answer: Answer) -> Answer:
        kept = await self.questions.answer(key, decision=answer.decision, who=answer.by, message=answer.message)
        at = datetime.fromtimestamp(kept.at).astimezone().isoformat(timespec="seconds")
        return replace(answer, at=at)

    async def _put_anew(self, key: str, question: HITLRequest, ask: AskPerson) -> None:
        # Written before it is put, since putting it ends this run. What is given at once was meant for another one.
        for passed_over in range(_MOST):
            await self.questions.put(key, passed_over=passed_over)
            ask(question)
        raise RuntimeError("a hundred answers to other questions came first")


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
