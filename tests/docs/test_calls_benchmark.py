"""The arithmetic behind the figures of a sandboxed call: a promise is met only when what was measured meets it."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SUSTAINED: dict[str, Any] = {
    "callers": 16,
    "share_of_engine": 0.95,
    "made_per_s": 19.0,
    "fewest_calls": 10,
    "most_calls": 20,
    "containers_used_twice": 0,
    "refused": 0,
}


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.call_figures")


def met(figures: ModuleType, rows: list[Any], sustained: dict[str, Any], waiting: dict[str, Any]) -> dict[str, bool]:
    return {each.promise: each.met for each in figures.verdicts(rows, sustained, waiting)}


def row(figures: ModuleType, way: str, ms: float, tool: str = "nothing", p95: float = 0.0) -> Any:
    return figures.Row(way=way, fresh=True, tool=tool, n=1, p50_ms=ms, p95_ms=p95 or ms, p99_ms=p95 or ms)


def test_percentiles_of_a_hundred_and_one_calls_are_the_calls_at_those_places(figures: ModuleType) -> None:
    made = figures.make_row("w", True, "nothing", [n / 1000 for n in range(101)])
    assert (made.n, made.p50_ms, made.p95_ms, made.p99_ms) == (101, *map(pytest.approx, (50, 95, 99)))


def test_a_single_call_is_every_percentile(figures: ModuleType) -> None:
    made = figures.make_row("w", True, "nothing", [0.004])
    assert (made.p50_ms, made.p95_ms, made.p99_ms) == (4, 4, 4)


def test_a_call_that_is_quick_with_one_tool_and_slow_with_the_other_is_slow(figures: ModuleType) -> None:
    ours = figures.DOCKER_CALL
    told = met(figures, [row(figures, ours, 0.4), row(figures, ours, 1.2, "20 ms", p95=6)], {}, {})
    assert told == {f"{ours}: p50 below 1 ms": False, f"{ours}: p95 below 5 ms": False}


def test_times_faster_is_theirs_over_ours(figures: ModuleType) -> None:
    ours = figures.DOCKER_CALL
    rows = [row(figures, ours, 0.5), row(figures, "docker exec", 51), row(figures, "docker run", 249)]
    told = met(figures, rows, {}, {})
    assert told[f"{ours}: 100 times faster than docker exec"]
    assert not told[f"{ours}: 500 times faster than docker run"]


def test_nothing_is_promised_about_what_was_not_measured(figures: ModuleType) -> None:
    assert met(figures, [], {}, {}) == {}


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({}, None),
        ({"share_of_engine": 0.89}, "sustained"),
        ({"fewest_calls": 9}, "16 callers"),
        ({"refused": 1}, "16 callers"),
        ({"fewest_calls": 0, "most_calls": 0}, "16 callers"),
        ({"containers_used_twice": 1}, "no container"),
    ],
)
def test_sustained_calls_are_judged_by_share_fairness_and_freshness(
    figures: ModuleType, change: dict[str, Any], broken: str | None
) -> None:
    told = met(figures, [], SUSTAINED | change, {})
    assert [promise for promise, kept in told.items() if not kept] == [
        promise for promise in told if broken is not None and promise.startswith(broken)
    ]


@pytest.mark.parametrize(
    ("waiting", "kept"), [({"cgroup_mib": 4.0, "pss_mib": 12.0}, False), ({"cgroup_mib": 9.9}, True)]
)
def test_a_waiting_container_is_judged_by_the_larger_of_its_two_sizes(
    figures: ModuleType, waiting: dict[str, Any], kept: bool
) -> None:
    assert list(met(figures, [], {}, waiting).values()) == [kept]


def test_the_table_for_the_figures_page_says_how_many_times_ours_each_way_takes(figures: ModuleType) -> None:
    rows = [row(figures, figures.DOCKER_CALL, 0.5), row(figures, "docker exec", 51), row(figures, "x", 9, "20 ms")]
    assert figures.markdown(rows).splitlines()[2:] == [
        "| docker exec | yes | 51 | 51 | 51 | 102 |",
        f"| {figures.DOCKER_CALL} | yes | 0.50 | 0.50 | 0.50 | 1 |",
    ]
