"""A sandbox for tests of what stands above it: it answers as written and remembers what it was asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bailiwick.definition.describe import coerce_arguments, describe_function
from bailiwick.sandbox.spec import Request, Result, Spec, ToolFailure

__all__ = ["ScriptedSandbox"]

Scripted = Callable[..., Any] | Result | BaseException


class ScriptedSandbox:
    """Tool name → what it does: a function is called (here, unsandboxed: tests only), a ``Result`` is given, an
    exception is raised. A tool that is not scripted fails as one that the file does not have.

    ``files`` says which functions a tool's file declares, for ``describe``: ``{"orders.py": ["lookup_order"]}``.
    Empty: every file declares every scripted function.
    """

    kind = "scripted"

    def __init__(
        self, tools: Mapping[str, Scripted] | None = None, *, files: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.tools = dict(tools or {})
        self.files = dict(files or {})
        self.requests: list[tuple[Spec, Request]] = []
        self.closed = False

    def check(self, spec: Spec) -> None:
        """Holds every spec."""

    def prepare(self, spec: Spec, file: str) -> None:
        """Nothing waits here."""

    async def run(self, spec: Spec, request: Request) -> Result:
        self.requests.append((spec, request))
        if request.op == "describe":
            return self._result(spec, cause="ok", value={"tools": self._described(request.file)})
        match self.tools.get(request.function):
            case None:
                message = f"no function {request.function!r} under @tool is scripted"
                return self._result(spec, cause="error", failure=ToolFailure(type="LookupError", message=message))
            case Result() as result:
                return result
            case BaseException() as error:
                raise error
            case function:
                return await self._call(spec, function, request)

    async def close(self) -> None:
        self.closed = True

    async def _call(self, spec: Spec, function: Callable[..., Any], request: Request) -> Result:
        try:
            value = function(**coerce_arguments(function, request.args))
            if inspect.isawaitable(value):
                value = await value
        except Exception as error:  # noqa: BLE001  a tool may raise anything
            failure = ToolFailure(type=type(error).__name__, message=str(error))
            return self._result(spec, cause="error", failure=failure)
        return self._result(spec, cause="ok", value=value)

    def _described(self, file: str) -> list[dict[str, Any]]:
        functions = {name: each for name, each in self.tools.items() if inspect.isroutine(each)}
        wanted = self.files.get(file.rpartition("/")[2], () if self.files else tuple(functions))
        return [{**describe_function(functions[name]), "name": name} for name in wanted]

    def _result(self, spec: Spec, **ended: Any) -> Result:
        return Result(**ended, sandbox=self.kind, container="scripted-1", spec_digest=spec.digest)
