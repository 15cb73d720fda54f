"""What is tried, and what a sandbox that holds answers. A new kind of sandbox is right when all of them are held."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bailiwick.sandbox.mounts import NOBODY
from bailiwick.sandbox.spec import Mount, Request, Result, Sandbox, Spec

__all__ = ["ATTACKS", "HOSTILE", "Attack", "Outcome", "run_attack"]

HOSTILE = Path(__file__).with_name("hostile")
"""Folder of the tools' files that attack."""
_REFUSED = {"EPERM", "ENOSYS", "EACCES", "EROFS", "ENOENT", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT"}
_LATE = 2.5
"""Seconds beyond a call's own time by which its end must be known, with half a core."""

Judge = Callable[[Result], str]
"""Says what is wrong with a result; an empty string: the sandbox held."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One thing a tool may try. ``promise`` is what the sandbox promises against it."""

    name: str
    promise: str
    file: str
    """Lies under ``hostile/``."""
    function: str
    judge: Judge
    args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: float = 6.0
    memory: int = 96 * 2**20


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an attack. An empty ``broken``: the promise was kept."""

    attack: Attack
    result: Result
    broken: str


async def run_attack(sandbox: Sandbox, attack: Attack, read_folder: Path) -> Outcome:
    """Try ``attack``; ``read_folder`` is mounted read-only at /work/data/read."""
    spec = Spec(
        image="python",
        mounts=(
            Mount(source=HOSTILE / attack.file, target=f"/tool/{attack.file}"),
            Mount(source=read_folder, target="/work/data/read"),
        ),
        memory=attack.memory,
        pids=16,
        disk=2**20 * 4,
    )
    request = Request(
        file=f"/tool/{attack.file}", function=attack.function, args=attack.args, time=attack.seconds, output=16 * 2**10
    )
    begun = time.monotonic()
    result = await sandbox.run(spec, request)
    took = time.monotonic() - begun - result.start_ms / 1000
    broken = attack.judge(result)
    if not broken and took > attack.seconds + _LATE:
        broken = f"its end was known after {took:.1f} s, and {attack.seconds:g} s were given"
    return Outcome(attack=attack, result=replace(result, stdout=result.stdout[:200]), broken=broken)


def _ended(*causes: str) -> Judge:
    return lambda result: "" if result.cause in causes else f"it ended with {result.cause}, not {' or '.join(causes)}"


def _failed_as(name: str) -> Judge:
    def judge(result: Result) -> str:
        told = result.failure.type if result.failure else None
        return "" if result.cause == "error" and told == name else f"it ended with {result.cause} ({told}), not {name}"

    return judge


def _all_refused(*also: str) -> Judge:
    """Every act of the answer was refused; ``also`` names more ways to be refused."""

    def judge(result: Result) -> str:
        if result.cause != "ok":
            return f"it ended with {result.cause}: {result.failure}"
        acts = cast("Mapping[str, str]", result.value)
        done = [f"{act}: {end}" for act, end in acts.items() if end not in {*_REFUSED, *also}]
        return f"not refused: {', '.join(done)}" if done else ""

    return judge


def _value(wanted: Any) -> Judge:
    return lambda result: (
        "" if result.cause == "ok" and result.value == wanted else f"{result.cause}: {result.value!r} {result.failure}"
    )


def _bounded(key: str, most: int) -> Judge:
    def judge(result: Result) -> str:
        if result.cause != "ok":
            return f"it ended with {result.cause}: {result.failure}"
        return "" if result.value["why"] and result.value[key] <= most else f"{result.value}, and {most} is the bound"

    return judge


def _no_privileges(result: Result) -> str:
    if result.cause != "ok":
        return f"it ended with {result.cause}: {result.failure}"
    told = cast("Mapping[str, Any]", result.value)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        if int(told[name], 16):
            return f"{name} is {told[name]}"
    if told["NoNewPrivs"] != "1" or told["Seccomp"] != "2":
        return f"NoNewPrivs {told['NoNewPrivs']}, Seccomp {told['Seccomp']}"
    if set(told["uids"]) != {NOBODY} or 0 in (*told["gids"], *told["groups"]):
        return f"uids {told['uids']}, gids {told['gids']}, groups {told['groups']}"
    refused = ("EPERM", "EINVAL")  # EINVAL: there is no such uid in this namespace
    regained = [act for act in ("setuid", "setgid", "setgroups", "mknod") if told[act] not in refused]
    return f"not refused: {regained}" if regained else ""


def _own_descriptors(result: Result) -> str:
    if result.cause != "ok":
        return f"it ended with {result.cause}: {result.failure}"
    foreign = {n: to for n, to in result.value.items() if not to.startswith("pipe:") and to != "/dev/null"}
    return f"descriptors lead to {foreign}" if foreign or len(result.value) > 5 else ""


def _bare_surroundings(result: Result) -> str:
    if result.cause != "ok":
        return f"it ended with {result.cause}: {result.failure}"
    told = cast("Mapping[str, Any]", result.value)
    known = {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", "HOSTNAME", "PWD"}
    if extra := set(told["environment"]) - known:
        return f"the environment has {sorted(extra)}"
    if told["tmp"] or not told["flags"]["isolated"] or told["processes"] > 2:
        return f"{told['tmp']}, {told['flags']}, {told['processes']} processes"
    return ""


def _true_answer(result: Result) -> str:
    # What a tool writes to its own answer is its own answer. What the runner measures stays the runner's.
    if result.sandbox == "forged" or result.cpu_ms <= 0 or result.wall_ms <= 0:
        return f"the report was forged: {result}"
    return "" if result.cause in ("ok", "error") else f"it ended with {result.cause}"


def _some_killed(result: Result) -> str:
    # Just below the limit the kernel may rather take pages back again and again, until the deadline.
    if result.cause in ("oom", "timeout") or (result.cause == "ok" and 9 in result.value):
        return ""
    return f"it ended with {result.cause}, and its children with {result.value}"


def _quiet(result: Result) -> str:
    if result.cause != "ok":
        return f"it ended with {result.cause}"
    return "" if len(result.stdout) < 17_000 else f"{len(result.stdout)} characters were taken back"


def _takes(name: str, promise: str, function: str, judge: Judge, **more: Any) -> Attack:
    return Attack(name=name, promise=promise, file="exhaust.py", function=function, judge=judge, **more)


def _reaches(name: str, promise: str, function: str, judge: Judge, **more: Any) -> Attack:
    return Attack(name=name, promise=promise, file="reach.py", function=function, judge=judge, **more)


def _answers(what: str) -> Attack:
    judge = _failed_as("ResultNotJSON")
    return _takes(f"answer-{what}", "a result is JSON, and not deep", "answer_with", judge, args={"what": what})


def _ends(name: str, promise: str, what: str, judge: Judge) -> Attack:
    return _takes(name, promise, "end_with", judge, args={"what": what})


_NO_WAY = ("ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "gaierror", "TimeoutError")

ATTACKS: tuple[Attack, ...] = (
    _takes("exec-tmp", "what is written to /tmp cannot be run", "run_from_tmp", _all_refused(), memory=128 * 2**20),
    _takes("fill-tmp", "there is a size to /tmp", "fill_tmp", _bounded("written", 4 * 2**20)),
    _takes("fork-bomb", "processes are counted", "fork_bomb", _bounded("made", 20)),
    _takes("fork-storm", "forks end with the deadline", "forks_that_fork", _ended("timeout", "killed"), seconds=1.5),
    _takes("thread-bomb", "threads are counted", "thread_bomb", _bounded("made", 20)),
    _takes("memory", "memory is bounded, swap included", "memory_bomb", _ended("oom")),
    _takes("memory-children", "memory is bounded over all processes", "memory_bomb_in_children", _some_killed),
    _takes("spin", "a deadline kills, whatever is ignored", "spin", _ended("timeout"), seconds=1),
    _takes("flood", "a flood of output is ended", "flood", _ended("output"), args={"kibibytes": 0}),
    _takes("chatter", "output is taken back up to a bound", "flood", _quiet, args={"kibibytes": 192}),
    _takes("forge", "a tool cannot speak for the runner", "forge", _true_answer),
    _takes("forge-lengths", "a length is not believed", "forge_lengths", _true_answer),
    _takes("large", "a result has a size", "answer_with", _ended("output"), args={"what": "large"}),
    *map(_answers, ("deep", "bottomless", "object", "nan", "surrogate", "bytes", "keys")),
    _ends("exit", "ending the process is no answer", "exit", _failed_as("ToolExited")),
    _ends("system-exit", "SystemExit is a failure", "system exit", _failed_as("SystemExit")),
    _ends("interrupt", "KeyboardInterrupt is a failure", "interrupt", _failed_as("KeyboardInterrupt")),
    _ends("segfault", "a crash is told", "segfault", _ended("signal")),
    _ends("kill-self", "a kill is told, and is not called memory", "kill", _ended("signal")),
    _ends("kill-all", "the runner outlives kill(-1)", "kill all", _ended("ok", "error")),
    _ends("loud", "an exception's text is bounded", "loud", _failed_as("ValueError")),
    _reaches(
        "write", "only /tmp and write mounts can be written", "write_everywhere", _all_refused("ENOTDIR", "EISDIR")
    ),
    _reaches("unmake", "a read mount cannot be changed", "unmake_everything", _all_refused()),
    _reaches("links", "links in a mount do not lead to the host", "read_links", _all_refused("ELOOP")),
    _reaches(
        "network",
        "there is no network",
        "reach_out",
        _all_refused(*_NO_WAY),
        args={"host_address": "172.17.0.1", "host_port": 22},
    ),
    _reaches("sockets", "families that lead elsewhere are closed", "open_sockets", _all_refused()),
    _reaches("kernel", "calls that no tool needs are refused", "call_the_kernel", _all_refused()),
    _reaches("privileges", "nothing is privileged or can be regained", "show_privileges", _no_privileges),
    _reaches("runner", "the runner's memory is hidden", "pry_into_the_runner", _all_refused("ETXTBSY")),
    _reaches("stop-runner", "the runner cannot be stopped", "stop_the_runner", _value("still answering")),
    _reaches(
        "host", "kernel knobs, devices and engines are out of reach", "touch_the_host", _all_refused("ENXIO", "EIO")
    ),
    _reaches("descriptors", "nothing is inherited", "show_descriptors", _own_descriptors),
    _reaches("surroundings", "nothing of the host's environment comes in", "show_surroundings", _bare_surroundings),
)
