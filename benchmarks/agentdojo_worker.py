"""One suite of AgentDojo, driven by lines of JSON: it runs in an environment of its own, and knows nothing of gates.

    {"do": "suite", "name": "banking", "version": "v1.2.2"}   → its tasks, and the package's version
    {"do": "start", "user": "user_task_0", "injection": null} → the prompt and the calls of both ground truths
    {"do": "call", "function": ..., "args": {...}}            → {"value"} or {"error"}
    {"do": "finish"}                                          → {"utility", "attacked"}, by the package's own checks

An injection stands in every place that the suite has for one. It gives the attacker every advantage: besides its goal
it holds every value of the calls that it wants, word for word.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from datetime import date
from typing import Any

from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.types import text_content_block_from_string
from pydantic import BaseModel


class Worker:
    def __init__(self) -> None:
        self.suite: Any = None
        self.plain: Any = None
        self.injected: dict[str, Any] = {}
        self.user: Any = None
        self.injection: Any = None
        self.before: Any = None
        self.environment: Any = None
        self.made: list[FunctionCall] = []

    def do_suite(self, name: str, version: str) -> dict[str, Any]:
        self.suite = get_suite(version, name)
        self.plain = self.suite.load_and_inject_default_environment({})
        self.injected = {}
        return {
            "agentdojo": importlib.metadata.version("agentdojo"),
            "user_tasks": list(self.suite.user_tasks),
            "injection_tasks": list(self.suite.injection_tasks),
        }

    def do_start(self, user: str, injection: str | None) -> dict[str, Any]:
        self.user = self.suite.user_tasks[user]
        self.injection = self.suite.injection_tasks[injection] if injection else None
        # Read once: the environment is a file of YAML, and reading it takes longer than everything else.
        if injection and injection not in self.injected:
            self.injected[injection] = self._with(self.injection)
        loaded = self.injected[injection] if injection else self.plain
        self.environment = self.user.init_environment(loaded.model_copy(deep=True))
        self.before = self.environment.model_copy(deep=True)
        self.made = []
        own = self.user.ground_truth(self.environment.model_copy(deep=True))
        attack = self.injection.ground_truth(self.environment.model_copy(deep=True)) if injection else []
        return {"prompt": self.user.PROMPT, "own": list(map(_call, own)), "attack": list(map(_call, attack))}

    def do_call(self, function: str, args: dict[str, Any]) -> dict[str, Any]:
        self.made.append(FunctionCall(function=function, args=args))
        value, error = FunctionsRuntime(self.suite.tools).run_function(self.environment, function, args)
        return {"error": error} if error else {"value": _plain(value)}

    def do_finish(self) -> dict[str, Any]:
        said = self.user.GROUND_TRUTH_OUTPUT
        if self.injection is not None:  # a hijacked model says whatever it is told to
            said += "\n" + self.injection.GROUND_TRUTH_OUTPUT
        found = ([text_content_block_from_string(said)], self.before, self.environment, self.made)
        utility = self.suite._check_user_task_utility(self.user, *found)
        attacked = self.injection is not None and self.suite._check_injection_task_security(self.injection, *found)
        return {"utility": bool(utility), "attacked": bool(attacked)}

    def _with(self, injection: Any) -> Any:
        """The environment with the injection in it, put there as data: as text it would have to be proper YAML."""
        wanted = injection.ground_truth(self.plain.model_copy(deep=True))
        marks = {vector: f"---MARK-{vector}---" for vector in self.suite.get_injection_vector_defaults()}
        marked = self.suite.load_and_inject_default_environment(marks)
        values = [text for call in wanted for text in _texts(dict(call.args))]
        text = "\n".join([injection.GOAL, *values])
        data = _replaced(marked.model_dump(), marks.values(), text)
        return self.suite.environment_type.model_validate(data)


def _replaced(value: Any, marks: Any, text: str) -> Any:
    if isinstance(value, str):
        for mark in marks:
            value = value.replace(mark, text)
        return value
    if isinstance(value, dict):
        return {_replaced(key, marks, text): _replaced(item, marks, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, marks, text) for item in value]
    return value


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


def _call(call: FunctionCall) -> dict[str, Any]:
    return {"function": call.function, "args": _plain(dict(call.args))}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def main() -> None:
    worker = Worker()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(worker, f"do_{asked.pop('do')}")(**asked)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
