"""The picture of ``benchmarks.calls``: every way on one scale, from its median to its 99th percentile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.call_figures import Row

__all__ = ["draw"]

_OURS, _THEIRS = "#0b6e4f", "#7a7a7a"


def draw(rows: Sequence[Row], file: Path) -> None:
    """Write the picture of the tool that does nothing, slowest way on top; the file's ending says its format."""
    drawn = sorted((row for row in rows if row.tool == "nothing"), key=lambda row: row.p50_ms)
    # Text stays text, and the same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "bailiwick", "font.family": "sans-serif"}):
        figure = Figure(figsize=(8, 0.8 + 0.36 * len(drawn)), layout="constrained")
        axes: Any = figure.add_subplot()
        for place, row in enumerate(drawn):
            colour = _OURS if row.way.startswith("Bailiwick") else _THEIRS
            axes.plot([row.p50_ms, row.p99_ms], [place, place], color=colour, linewidth=1.2, alpha=0.6)
            axes.plot(row.p95_ms, place, "|", color=colour, markersize=9)
            axes.plot(row.p50_ms, place, "o", color=colour, markersize=7, fillstyle="full" if row.fresh else "none")
            axes.annotate(
                _milliseconds(row.p50_ms),
                (row.p50_ms, place),
                xytext=(-8, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=8,
                color=colour,
            )
        axes.set_xscale("log")
        axes.set_xlim(min(row.p50_ms for row in drawn) / 2.5, max(row.p99_ms for row in drawn) * 1.3)
        axes.set_yticks(range(len(drawn)), [row.way for row in drawn])
        figure.supxlabel(
            "ms over the tool's own time. dot: median, hollow where a container is used again; bar: p95; line: to p99",
            fontsize=8,
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(axis="x", which="major", alpha=0.25)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=150)


def _milliseconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
