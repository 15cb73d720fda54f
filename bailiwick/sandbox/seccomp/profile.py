"""Reading ``profile.json``, and translating it for bubblewrap, which takes a compiled filter."""

from __future__ import annotations

import errno
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from bailiwick.errors import SandboxUnavailable

__all__ = ["PROFILE", "bpf_program"]

PROFILE: dict[str, Any] = json.loads(Path(__file__).with_name("profile.json").read_text())
"""Docker's format: what is not listed fails with EPERM."""


@cache
def bpf_program(*, also: tuple[str, ...] = ()) -> bytes:
    """The profile as a filter program for this machine, allowing ``also``. Raises SandboxUnavailable."""
    try:
        import pyseccomp as seccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxUnavailable(
            f"the seccomp library cannot be loaded: {error}", fix="install it (Debian: apt-get install libseccomp2)"
        ) from None
    program: Any = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for rule in PROFILE["syscalls"]:
        action = seccomp.ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else seccomp.ERRNO(rule["errnoRet"])
        conditions = [_condition(seccomp, each) for each in rule.get("args", ())]
        for name in rule["names"]:
            _add(seccomp, program, action, name, conditions)
    for name in also:
        _add(seccomp, program, seccomp.ALLOW, name, [])
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(seccomp: Any, program: Any, action: Any, name: str, conditions: list[Any]) -> None:
    # Other machines have other calls: a name that this one lacks cannot be called here either.
    if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:
        program.add_rule(action, name, *conditions)


def _condition(seccomp: Any, argument: dict[str, Any]) -> Any:
    operation = getattr(seccomp, argument["op"].removeprefix("SCMP_CMP_"))
    if operation == seccomp.MASKED_EQ:
        return seccomp.Arg(argument["index"], operation, argument["value"], argument["valueTwo"])
    return seccomp.Arg(argument["index"], operation, argument["value"])
