"""The pace at which a server is asked comes to what it allows, told by a clock that costs no time."""

from __future__ import annotations

import threading

import pytest

from bailiwick.retrieval.embedders.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Waiting(threading.Event):
    """An event whose waiting moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.now += timeout or 0.0
        return False


def run(monkeypatch: pytest.MonkeyPatch, seconds: float, *, allowed, burst: float, retry_after: float):
    """Ask a token bucket for so long; give what it took in each second, and how often it refused."""
    clock = Clock()
    monkeypatch.setattr("bailiwick.retrieval.embedders.pace.time.monotonic", clock)
    pace, wait = Pace(), Waiting(clock)
    level, at, began = burst, clock.now, clock.now
    taken: dict[int, int] = {}
    refused = 0
    while clock.now - began < seconds:
        pace.wait(wait)
        clock.now += 0.002  # the request
        level, at = min(burst, level + (clock.now - at) * allowed(clock.now - began)), clock.now
        if level >= 1:
            level -= 1
            second = int(clock.now - began)
            taken[second] = taken.get(second, 0) + 1
            pace.accepted()
        else:
            refused += 1
            pace.refused(retry_after)
    return taken, refused


@pytest.mark.parametrize("retry_after", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(("rate", "burst"), [(3, 1), (20, 5), (50, 50), (200, 10)])
def test_it_stays_at_95_percent_of_what_is_allowed_or_more(
    monkeypatch: pytest.MonkeyPatch, rate: float, burst: float, retry_after: float
) -> None:
    taken, _ = run(monkeypatch, 900, allowed=lambda _: rate, burst=burst, retry_after=retry_after)
    # Once it is found, which takes a dozen refusals and is told by the docs.
    steady = [taken.get(second, 0) for second in range(120, 900)]
    assert sum(steady) / len(steady) >= 0.95 * rate


def test_it_follows_a_limit_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, _ = run(
        monkeypatch, 900, allowed=lambda at: 40 if at < 120 else 10 if at < 400 else 30, burst=5, retry_after=1
    )
    for rate, seconds in ((40, range(80, 120)), (10, range(200, 400)), (30, range(800, 900))):
        mean = sum(taken.get(second, 0) for second in seconds) / len(seconds)
        assert 0.9 * rate <= mean <= 1.05 * rate, (rate, mean)


def test_a_server_without_a_limit_is_never_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, refused = run(monkeypatch, 5, allowed=lambda _: 1e9, burst=1e9, retry_after=1)
    assert refused == 0
    assert sum(taken.values()) > 2000
