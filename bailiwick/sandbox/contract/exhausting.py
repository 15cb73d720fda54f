"""Attacks that take more than they are given: memory, processes, time, disk, the host's patience."""

from __future__ import annotations

from typing import Any

from bailiwick.sandbox.contract.attack import Attack
from bailiwick.sandbox.contract.judges import Judge, all_refused, bounded, ended, quiet, some_killed
from bailiwick.sandbox.contract.one_call import OneCall

__all__ = ["EXHAUSTING"]


def _takes(name: str, tried: str, promise: str, function: str, judge: Judge, **more: Any) -> Attack:
    attempt = OneCall(file="exhaust.py", function=function, judge=judge, **more)
    return Attack(name=name, tried=tried, promise=promise, attempt=attempt)


EXHAUSTING: tuple[Attack, ...] = (
    _takes(
        "exec-tmp",
        "runs a script and a program that it wrote to /tmp",
        "what is written to /tmp cannot be run",
        "run_from_tmp",
        all_refused(),
        memory=160 * 2**20,
        disk=64 * 2**20,
    ),
    _takes(
        "fill-tmp", "fills /tmp", "there is a size to /tmp, and it is kept", "fill_tmp", bounded("written", 4 * 2**20)
    ),
    _takes(
        "fork-bomb",
        "forks until it is refused",
        "processes are counted",
        "fork_bomb",
        bounded("made", 20, or_killed=True),
    ),
    _takes(
        "fork-storm",
        "forks in every process at once",
        "forks end with the deadline",
        "forks_that_fork",
        ended("timeout", "killed"),
        args={"seconds": 4.0},
        seconds=1.5,
    ),
    _takes(
        "thread-bomb",
        "starts threads until it is refused",
        "threads are counted",
        "thread_bomb",
        bounded("made", 20, or_killed=True),
    ),
    _takes(
        "memory",
        "takes twice its memory",
        "memory is bounded, swap included, and its end is told as such",
        "memory_bomb",
        ended("oom"),
        args={"mebibytes": 192},
    ),
    _takes(
        "memory-children",
        "takes memory in four processes, none of which takes too much",
        "memory is bounded over all processes together",
        "memory_bomb_in_children",
        some_killed,
    ),
    _takes(
        "spin",
        "computes past its deadline and ignores every signal",
        "a deadline kills, whatever is ignored",
        "spin",
        ended("timeout"),
        args={"seconds": 3.0},
        seconds=1,
    ),
    _takes(
        "flood",
        "prints without an end",
        "a flood of output is ended",
        "flood",
        ended("output"),
        args={"kibibytes": 2048},
    ),
    _takes(
        "chatter",
        "prints more than is taken back",
        "output is taken back up to a bound, and the call goes on",
        "flood",
        quiet,
        args={"kibibytes": 192},
    ),
)
