"""The benchmark of ingestion does what its figures say it did."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ingestion", *arguments, "--json"]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_it_measures_the_embedder_beside_the_ingestion() -> None:
    told = run("--passages", "60")
    assert told["passages"] == 60
    assert 0 < told["of_the_embedders_rate"] <= 1.1


def test_a_killed_ingestion_comes_out_as_an_undisturbed_one() -> None:
    told = run("--kills", "2")
    assert (told["kills"], told["unequal"], told["unsound"]) == (2, 0, 0)
