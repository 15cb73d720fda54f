"""What a call that was held answers. A judge says what is wrong with a result; an empty string: the sandbox held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from bailiwick.sandbox.mounts import NOBODY
from bailiwick.sandbox.spec import ExitCause, Result

__all__ = [
    "Judge",
    "all_refused",
    "answered",
    "bare_surroundings",
    "bounded",
    "ended",
    "failed_as",
    "few_spans",
    "no_capabilities",
    "no_other_identity",
    "own_descriptors",
    "quiet",
    "some_killed",
    "true_answer",
    "value",
]

Judge = Callable[[Result], str]

_REFUSED = {"EPERM", "ENOSYS", "EACCES", "EROFS", "ENOENT", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT"}
_SPAN = {"name", "start_ns", "end_ns", "attributes", "error"}
_SPANS = 64


def answered(result: Result) -> str:
    """The call returned."""
    return "" if result.cause == "ok" else f"it ended with {result.cause}: {result.failure}"


def ended(*causes: ExitCause) -> Judge:
    """The call ended in one of these ways."""
    return lambda result: "" if result.cause in causes else f"it ended with {result.cause}, not {' or '.join(causes)}"


def failed_as(name: str) -> Judge:
    """The call failed with an exception of this name."""

    def judge(result: Result) -> str:
        told = result.failure.type if result.failure else None
        return "" if result.cause == "error" and told == name else f"it ended with {result.cause} ({told}), not {name}"

    return judge


def all_refused(*also: str) -> Judge:
    """Every act of the answer was refused; ``also`` names more ways to be refused."""

    def judge(result: Result) -> str:
        if wrong := answered(result):
            return wrong
        acts = cast("Mapping[str, str]", result.value)
        done = [f"{act}: {end}" for act, end in acts.items() if end not in {*_REFUSED, *also}]
        if not acts:
            return "nothing was tried"
        return f"not refused: {', '.join(done)}" if done else ""

    return judge


def value(wanted: Any) -> Judge:
    """The call returned exactly this."""
    return lambda result: answered(result) or ("" if result.value == wanted else f"it answered {result.value!r}")


def bounded(key: str, most: int, *, or_killed: bool = False) -> Judge:
    """Something was taken until it was refused, and no more than ``most`` of it.

    ``or_killed``: where no cgroup refuses, a thread that looks may end the call instead.
    """

    def judge(result: Result) -> str:
        if or_killed and result.cause == "killed":
            return ""
        if wrong := answered(result):
            return wrong
        return "" if result.value["why"] and result.value[key] <= most else f"{result.value}, and {most} is the bound"

    return judge


def no_capabilities(result: Result) -> str:
    """No set of capabilities has any."""
    if wrong := answered(result):
        return wrong
    told = cast("Mapping[str, str]", result.value)
    held = [f"{name} is {bits}" for name, bits in told.items() if name.startswith("Cap") and int(bits, 16)]
    return ", ".join(held)


def no_other_identity(result: Result) -> str:
    """Nobody's uid and group, and a process that can gain nothing by what it executes."""
    if wrong := answered(result):
        return wrong
    told = cast("Mapping[str, Any]", result.value)
    if told["NoNewPrivs"] != "1" or told["Seccomp"] != "2":
        return f"NoNewPrivs {told['NoNewPrivs']}, Seccomp {told['Seccomp']}"
    if set(told["uids"]) != {NOBODY} or 0 in (*told["gids"], *told["groups"]):
        return f"uids {told['uids']}, gids {told['gids']}, groups {told['groups']}"
    return ""


def own_descriptors(result: Result) -> str:
    """Descriptors lead to pipes and to nothing, and there are no more than a tool needs."""
    if wrong := answered(result):
        return wrong
    foreign = {n: to for n, to in result.value.items() if not to.startswith("pipe:") and to != "/dev/null"}
    return f"descriptors lead to {foreign or result.value}" if foreign or len(result.value) > 5 else ""


def bare_surroundings(result: Result) -> str:
    """An environment, a /tmp and a process list with nothing in them that is somebody else's."""
    if wrong := answered(result):
        return wrong
    told = cast("Mapping[str, Any]", result.value)
    known = {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", "HOSTNAME", "PWD"}
    known |= {"TERM", "container"}  # Podman's own: they say nothing of the host
    if extra := set(told["environment"]) - known:
        return f"the environment has {sorted(extra)}"
    if told["tmp"] or not told["flags"]["isolated"] or told["processes"] > 2:
        return f"{told['tmp']}, {told['flags']}, {told['processes']} processes"
    return ""


def true_answer(result: Result) -> str:
    """What a tool writes to its own answer is its own answer. What the runner measures stays the runner's."""
    if result.sandbox == "forged" or result.cpu_ms <= 0 or result.wall_ms <= 0:
        return f"the report was forged: it ended with {result.cause}, {result.cpu_ms} ms"
    return "" if result.cause in ("ok", "error", "output") else f"it ended with {result.cause}"


def some_killed(result: Result) -> str:
    """Children that together took more than their share were killed.

    Just below the limit the kernel may rather take pages back again and again, until the deadline.
    """
    if result.cause in ("oom", "timeout") or (result.cause == "ok" and 9 in result.value):
        return ""
    return f"it ended with {result.cause}, and its children with {result.value}"


def quiet(result: Result) -> str:
    """What was printed is taken back up to the bound."""
    if wrong := answered(result):
        return wrong
    return "" if len(result.stdout) < 17_000 else f"{len(result.stdout)} characters were taken back"


def few_spans(result: Result) -> str:
    """Spans are few, small, and say nothing of whose children they are."""
    if len(result.spans) > _SPANS:
        return f"{len(result.spans)} spans were taken"
    for span in result.spans:
        if set(span) != _SPAN:
            return f"a span was taken with {sorted(set(span) - _SPAN)}"
        if len(str(span["name"])) > 200 or not 0 <= span["start_ns"] <= span["end_ns"]:
            return f"a span was taken as it was written: {str(span)[:100]}"
    return "" if result.cause in ("ok", "error", "output") else f"it ended with {result.cause}"
