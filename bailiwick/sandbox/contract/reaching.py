"""Attacks that reach for files, privileges and the runner."""

from __future__ import annotations

from typing import Any

from bailiwick.sandbox.contract.attack import Attack
from bailiwick.sandbox.contract.judges import (
    Judge,
    all_refused,
    bare_surroundings,
    no_capabilities,
    no_other_identity,
    own_descriptors,
    value,
)
from bailiwick.sandbox.contract.one_call import OneCall

__all__ = ["REACHING"]

_NOT_VALID = "EINVAL"
"""In a user namespace of its own there is no uid 0 to become; and no-new-privileges has no way back."""


def _reaches(name: str, tried: str, promise: str, function: str, judge: Judge, **more: Any) -> Attack:
    return Attack(
        name=name,
        tried=tried,
        promise=promise,
        attempt=OneCall(file="reach.py", function=function, judge=judge, **more),
    )


REACHING: tuple[Attack, ...] = (
    _reaches(
        "write",
        "writes outside of /tmp: to /, to the tool, to a read mount",
        "only /tmp and write mounts can be written",
        "write_everywhere",
        all_refused("ENOTDIR", "EISDIR"),
    ),
    _reaches(
        "unmake",
        "removes, renames, re-owns and links in a read mount",
        "a read mount cannot be changed",
        "unmake_everything",
        all_refused("EBUSY"),
    ),
    _reaches(
        "links",
        "reads through links in a read mount that lead out of it",
        "links in a mount do not lead to the host",
        "read_links",
        all_refused("ELOOP"),
    ),
    _reaches(
        "capabilities",
        "looks for capabilities, those that could be regained included",
        "every set of capabilities is empty, the bounding set too",
        "show_status",
        no_capabilities,
    ),
    _reaches(
        "identity",
        "looks for the uid, the groups and the guards it runs under",
        "nobody's uid and group, no-new-privileges and a seccomp filter",
        "show_status",
        no_other_identity,
    ),
    _reaches(
        "regain",
        "becomes root by setuid, capset, ambient capabilities and a file of root's",
        "what was given up cannot be regained",
        "regain_privileges",
        all_refused(_NOT_VALID),
    ),
    _reaches(
        "setuid-files",
        "looks for files that run as somebody else",
        "there is no setuid file and none with capabilities",
        "find_setuid_files",
        value([]),
    ),
    _reaches(
        "runner",
        "reads and writes the runner's memory and descriptors in /proc/1",
        "the runner's memory is hidden from the tool",
        "pry_into_the_runner",
        all_refused(),
    ),
    _reaches(
        "stop-runner",
        "kills and stops process 1",
        "the runner cannot be stopped",
        "stop_the_runner",
        value("still answering"),
    ),
    _reaches(
        "limits",
        "raises its own limits and the runner's, and its place among those that are killed for memory",
        "limits cannot be taken off from inside",
        "raise_limits",
        all_refused(),
    ),
    _reaches(
        "descriptors",
        "looks at what it inherited",
        "no descriptor of the host's or the runner's",
        "show_descriptors",
        own_descriptors,
    ),
    _reaches(
        "surroundings",
        "looks at its environment, its import path, /tmp and its neighbours",
        "nothing of the host's comes in, and nobody else is there",
        "show_surroundings",
        bare_surroundings,
    ),
)
