"""The arithmetic of ``benchmarks.calls``: from seconds to rows, and from rows to whether what was promised holds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DOCKER_CALL", "Row", "Verdict", "make_row", "markdown", "verdicts"]

DOCKER_CALL = "Bailiwick, docker, call"
_BUBBLEWRAP_CALL = "Bailiwick, bubblewrap, call"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a way's calls of one tool took beside the tool itself, in milliseconds."""

    way: str
    fresh: bool
    tool: str
    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One promise, what was measured for it, and whether it was met."""

    promise: str
    measured: str
    met: bool


def make_row(way: str, fresh: bool, tool: str, seconds: Sequence[float]) -> Row:
    """The row of a way's calls; of a single one, every percentile is that one."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else [seconds[0]] * 99
    p50, p95, p99 = (cuts[at - 1] * 1000 for at in (50, 95, 99))
    return Row(way=way, fresh=fresh, tool=tool, n=len(seconds), p50_ms=p50, p95_ms=p95, p99_ms=p99)


def markdown(rows: Sequence[Row]) -> str:
    """A table of the tool that does nothing, slowest way first, with how many times ours each median is."""
    told = sorted((row for row in rows if row.tool == "nothing"), key=lambda row: -row.p50_ms)
    ours = next((row.p50_ms for row in told if row.way == DOCKER_CALL), 0.0)
    lines = ["| | fresh | p50 ms | p95 ms | p99 ms | times ours |", "|---|---|---|---|---|---|"]
    for row in told:
        figures = (f"{each:.2f}" if each < 10 else f"{each:.0f}" for each in (row.p50_ms, row.p95_ms, row.p99_ms))
        times = f"{row.p50_ms / ours:.3g}" if ours else ""
        lines.append(f"| {row.way} | {'yes' if row.fresh else 'no'} | {' | '.join(figures)} | {times} |")
    return "\n".join(lines)


def verdicts(rows: Sequence[Row], sustained: Mapping[str, Any], waiting: Mapping[str, Any]) -> list[Verdict]:
    """Every promise that something was measured for; a call's time is the worse of the two tools'."""
    found: list[Verdict] = []
    for way in (DOCKER_CALL, _BUBBLEWRAP_CALL):
        ours = [row for row in rows if row.way == way]
        if ours:
            p50, p95 = max(row.p50_ms for row in ours), max(row.p95_ms for row in ours)
            found.append(Verdict(promise=f"{way}: p50 below 1 ms", measured=f"{p50:.2f} ms", met=p50 < 1))
            found.append(Verdict(promise=f"{way}: p95 below 5 ms", measured=f"{p95:.2f} ms", met=p95 < 5))
    for peer, times in (("docker exec", 100), ("docker run", 500)):
        ratio = _times_faster(rows, peer)
        if ratio is not None:
            promise = f"{DOCKER_CALL}: {times} times faster than {peer}"
            found.append(Verdict(promise=promise, measured=f"{ratio:.0f} times", met=ratio >= times))
    if sustained:
        found += _sustained(sustained)
    if waiting:
        most = max(waiting.get("cgroup_mib", 0.0), waiting.get("pss_mib", 0.0))
        found.append(
            Verdict(promise="a waiting container: below 10 MiB", measured=f"{most:.1f} MiB", met=0 < most < 10)
        )
    return found


def _times_faster(rows: Sequence[Row], peer: str) -> float | None:
    """By the medians of the tool that does nothing."""
    medians = {row.way: row.p50_ms for row in rows if row.tool == "nothing"}
    ours, theirs = medians.get(DOCKER_CALL), medians.get(peer)
    return theirs / ours if ours and theirs else None


def _sustained(told: Mapping[str, Any]) -> list[Verdict]:
    share, fewest, most = told["share_of_engine"], told["fewest_calls"], told["most_calls"]
    twice, refused = told["containers_used_twice"], told["refused"]
    return [
        Verdict(
            promise="sustained: 90 % of the containers a second that the engine can make",
            measured=f"{share:.0%}, {told['made_per_s']:.1f} a second",
            met=share >= 0.9,
        ),
        Verdict(
            promise=f"{told['callers']} callers: none is refused, and none gets less than half of another's calls",
            measured=f"{fewest} to {most} calls, {refused} refused",
            met=refused == 0 and 0 < most <= 2 * fewest,
        ),
        Verdict(promise="no container serves two calls", measured=f"{twice} did", met=twice == 0),
    ]
