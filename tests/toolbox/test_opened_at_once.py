"""Several processes that open one project at the same moment, as a server's workers do."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bailiwick import Toolbox
from bailiwick.testing import ScriptedSandbox

POLICY = """version: 1
tool: weigh
effect: read
output: {trust: trusted}
rules: [{id: any, decision: allow, agents: [any], args: {item: {type: string}}, reason: it only weighs}]
"""


def weigh(item: str) -> str:
    """Weigh an item."""
    return "2 kg"


async def test_none_of_those_that_open_it_at_once_gets_in_anothers_way(tmp_path: Path) -> None:
    for folder in ("tools", "policies"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tools/scale.py").write_text("# scripted\n")
    (tmp_path / "policies/weigh.yaml").write_text(POLICY)
    cache = tmp_path / "kept/tools.json"

    async def opened() -> Toolbox:
        return await Toolbox.aopen(
            tmp_path / "tools",
            policies=tmp_path / "policies",
            sandbox=ScriptedSandbox({"weigh": weigh}),
            ledger=None,
            cache=cache,
        )

    for _ in range(5):
        cache.unlink(missing_ok=True)
        boxes = await asyncio.gather(*(opened() for _ in range(12)))
        for box in boxes:
            await box.aclose()
    assert [file.name for file in cache.parent.iterdir()] == ["tools.json"]
