"""What a sandboxed tool call costs: Bailiwick beside Docker, bubblewrap and other libraries' sandboxes, in one run.

    python -m benchmarks.calls [--rounds 100] [--quick] [--no-peers] [--profile] [--plot FILE] [--markdown] [--json]

Two tools, one that does nothing and one that sleeps 20 ms, are called every way in turn, round after round, so that a
busy machine slows all of them. A call's figure is what it took beyond the tool's own body, by a clock inside the tool.
Each call comes after a pause, in which whatever keeps containers waiting may make the next; each way's first calls
are not counted. All interpreters are this one: the peers' image is made from this host. What cannot run here is left
out, with the reason. The peers are installed in an environment of their own, once, from a package registry.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import docker
import docker.errors
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bailiwick.errors import BailiwickError
from benchmarks.call_figures import DOCKER_CALL, Row, Verdict, make_row, markdown, verdicts
from benchmarks.call_picture import draw
from benchmarks.peers import (
    PROGRAMS,
    TOOLS,
    BwrapPython,
    DockerExec,
    DockerRun,
    Elsewhere,
    EngineExec,
    EngineRun,
    Ours,
    Tool,
    Way,
    isolations,
    peer_environment,
    plain_image,
)
from benchmarks.sustained import sustained
from benchmarks.waiting import waiting_memory

_FAILURES = (RuntimeError, OSError, ValueError, BailiwickError, docker.errors.DockerException)
"""How a way fails that cannot run here."""
_FIRST = 3
"""Calls of each way and tool that come before the first that counts."""


class Run:
    """One run: the ways that work here, what they took, and why the others do not."""

    def __init__(self, *, rounds: int, pause: float) -> None:
        self.rounds, self.pause = rounds, pause
        self.ways: list[Way] = []
        self.left_out: dict[str, str] = {}
        self.seconds: dict[tuple[str, Tool], list[float]] = defaultdict(list)

    async def open(self, way: Way, stack: AsyncExitStack) -> None:
        """Have ``way`` take part, if it can be opened and called."""
        stack.push_async_callback(way.close)
        try:
            await way.open()
            for _ in range(_FIRST):
                for tool in TOOLS:
                    await asyncio.sleep(self.pause)
                    await way.call(tool)
        except _FAILURES as error:
            self.left_out[way.name] = f"{type(error).__name__}: {error}"
        else:
            self.ways.append(way)

    async def measure(self, console: Console) -> list[Row]:
        """Call every way in turn; each round begins with another, so that none has always the same one before it."""
        for turn in track(range(self.rounds), description="calls", console=console, refresh_per_second=1):
            first = turn % len(self.ways)
            for tool in TOOLS:
                for way in [*self.ways[first:], *self.ways[:first]]:
                    if turn % way.every == 0 and way.name not in self.left_out:
                        await self._call(way, tool)
        return [
            make_row(way.name, way.fresh, tool, self.seconds[way.name, tool])
            for way in self.ways
            for tool in TOOLS
            if way.name not in self.left_out
        ]

    async def _call(self, way: Way, tool: Tool) -> None:
        await asyncio.sleep(self.pause)
        try:
            self.seconds[way.name, tool].append((await way.call(tool)).over)
        except _FAILURES as error:
            self.left_out[way.name] = f"stopped in the run: {type(error).__name__}: {error}"


async def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Everything that is measured, as data; all that was started has gone when this returns."""
    run = Run(rounds=options.rounds, pause=options.pause)
    machine = _machine()
    with plain_image() as image:
        async with AsyncExitStack() as stack:
            for way in _ways(image, run):
                await run.open(way, stack)
            if options.peers:
                await _open_peers(run, image, stack, console)
            ours = {way.name: way for way in run.ways if isinstance(way, Ours)}
            rows = await run.measure(console)
            found: dict[str, Any] = {"machine": machine, "rows": rows, "left_out": run.left_out}
            if options.profile:
                found["profile"] = {name: await _profile(way, options) for name, way in ours.items()}
            found["waiting"] = found["sustained"] = {}
            if pooled := ours.get(DOCKER_CALL):
                found["waiting"] = await waiting_memory(pooled, pause=4 * options.pause)
                console.print(f"{options.callers} callers without a pause, {options.seconds} s, and the engine as long")
                found["sustained"] = await sustained(pooled, image, callers=options.callers, seconds=options.seconds)
    found["verdicts"] = verdicts(rows, found["sustained"], found["waiting"])
    return found


def _ways(image: str, run: Run) -> list[Way]:
    """Ours and the plain ones, without those whose command is not installed."""
    found: list[Way] = [Ours("docker", isolation) for isolation in isolations()]
    found += [Ours("bubblewrap"), EngineExec(image), EngineRun(image, every=4)]
    for command, make in (
        ("bwrap", BwrapPython),
        ("docker exec", lambda: DockerExec(image)),
        ("docker run", lambda: DockerRun(image, every=4)),
    ):
        try:
            found.append(make())
        except RuntimeError as error:
            run.left_out[command] = str(error)
    return found


async def _open_peers(run: Run, image: str, stack: AsyncExitStack, console: Console) -> None:
    try:
        console.print("the peers' environment is looked for, and installed where it is missing")
        python = await asyncio.to_thread(peer_environment)
    except _FAILURES as error:
        run.left_out["other libraries"] = f"their environment cannot be made: {error}"
        return
    for program in PROGRAMS:
        await run.open(Elsewhere(program, python=python, image=image), stack)


async def _profile(way: Ours, options: argparse.Namespace) -> dict[str, float]:
    """Medians in milliseconds of where a call of the tool that does nothing goes.

    ``take``: until a container is ours. ``there``: from then to the tool's first line. ``back``: from its last line to
    the answer here. Of these two, ``runner`` passes between the runner's taking the call and the tool's end, and
    ``host`` before and after.
    """
    parts: dict[str, list[float]] = defaultdict(list)
    for _ in range(min(options.rounds, 50)):
        await asyncio.sleep(4 * options.pause)  # nobody else is called in between, as there is in a round
        answered = await way.run("nothing")
        result, whole, tool = answered.result, answered.timed.whole * 1000, answered.timed.tool * 1000
        for name, value in (
            ("whole", whole),
            ("take", result.start_ms),
            ("there", answered.there * 1000 - result.start_ms),
            ("tool", tool),
            ("back", answered.back * 1000),
            ("runner", result.wall_ms - tool),
            ("host", whole - result.start_ms - result.wall_ms),
        ):
            parts[name].append(value)
    return {name: statistics.median(values) for name, values in parts.items()}


def _machine() -> dict[str, Any]:
    client: Any = docker.from_env()
    version = client.version()
    client.close()
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "engine": version["Version"],
        "load_before": os.getloadavg()[0],
    }


def show(found: dict[str, Any], console: Console) -> None:
    """The tables."""
    console.print(", ".join(f"{name} {value}" for name, value in found["machine"].items()), highlight=False)
    rows: Sequence[Row] = found["rows"]
    ours = next((row.p50_ms for row in rows if row.way == DOCKER_CALL), 0.0)
    table = Table(title="a tool call, ms over the tool's own time: p50, p95, p99", box=SIMPLE)
    for name in ("way", "fresh", "calls", *TOOLS, "times ours"):
        table.add_column(name, justify="left" if name in ("way", "fresh") else "right", no_wrap=True)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        times = f"{first.p50_ms / ours:.1f}" if ours else ""
        table.add_row(first.way, "yes" if first.fresh else "no", str(first.n), _figures(first), _figures(second), times)
    console.print(table)
    for name, reason in found["left_out"].items():
        console.print(f"left out: {name}: {reason}", markup=False)
    for title in ("profile", "sustained", "waiting"):
        if found.get(title):
            console.print(_listed(title, found[title]))
    promises: Sequence[Verdict] = found["verdicts"]
    judged = Table(title="promises", box=SIMPLE)
    for name in ("promise", "measured", ""):
        judged.add_column(name)
    for each in promises:
        judged.add_row(each.promise, each.measured, "[green]met[/]" if each.met else "[red]missed[/]")
    console.print(judged)


def _figures(row: Row) -> str:
    return "".join(f"{each:8.2f}" if each < 10 else f"{each:8.1f}" for each in (row.p50_ms, row.p95_ms, row.p99_ms))


def _listed(title: str, told: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False, box=SIMPLE)
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {number:.2f}" for key, number in value.items())
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="calls of each way and tool; of the slow ones a fourth")
    parser.add_argument("--pause", type=float, default=0.15, help="seconds before each call")
    parser.add_argument("--callers", type=int, default=16, help="at once, where calls follow without a pause")
    parser.add_argument("--seconds", type=float, default=30, help="of those calls, and as long of the engine alone")
    parser.add_argument("--quick", action="store_true", help="10 rounds and 6 seconds")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="other libraries too")
    parser.add_argument("--profile", action="store_true", help="where the time of our calls goes")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the picture, .svg or .png")
    parser.add_argument("--markdown", action="store_true", help="print the first table as Markdown too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 10, 6.0
    console = Console(stderr=options.json, width=None if sys.stderr.isatty() else 130)
    try:
        found = asyncio.run(compare(options, console))
    except docker.errors.DockerException as error:
        sys.exit(f"no Docker Engine answers, and most of what is compared needs one: {error}")
    show(found, console)
    if options.markdown:
        print(markdown(found["rows"]))
    if options.plot:
        draw(found["rows"], options.plot)
    if options.json:
        data = found | {name: [asdict(each) for each in found[name]] for name in ("rows", "verdicts")}
        json.dump(data, sys.stdout, indent=1)
        print()


if __name__ == "__main__":
    main()
