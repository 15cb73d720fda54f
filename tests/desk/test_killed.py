"""The process dies in the middle of a refund: what happened is not forgotten, and not done again unasked."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from bailiwick import Project, Session

SESSION = Session(user_id="C-1002")
QUESTION = "ORD-000124 has a pulled thread, please refund 20 euro."


def refunds(root: Path) -> int:
    with closing(sqlite3.connect(root / "data/orders/orders.db")) as database:
        return database.execute("SELECT count(*) FROM refunds").fetchone()[0]


async def test_a_refund_that_was_made_by_a_process_that_was_killed(project_root: Path, sandbox_kind: str) -> None:
    file = project_root / "tools/orders.py"
    file.write_text(
        file.read_text().replace(
            '    return {"order_id": order_id, "refunded": cents / 100}',
            '    import time\n\n    time.sleep(4)\n    return {"order_id": order_id, "refunded": cents / 100}',
        )
    )
    command = [Path(sys.executable).with_name("bailiwick"), "ask", "support", QUESTION]
    environment = {**os.environ, "BAILIWICK_SANDBOX": sandbox_kind}
    with subprocess.Popen(
        [*command, "--user", "C-1002", "--thread", "t", "--json"],
        cwd=project_root, env=environment, stdout=subprocess.DEVNULL, start_new_session=True,
    ) as asking:  # fmt: skip
        ends = time.monotonic() + 60
        while refunds(project_root) == 0:
            assert time.monotonic() < ends
            assert asking.poll() is None
            time.sleep(0.05)
        os.killpg(asking.pid, signal.SIGKILL)

    async with Project.open(project_root, sandbox=sandbox_kind, phoenix=None) as project:
        live = project.agent("support")
        turn = await live.ask(QUESTION, thread="t", session=SESSION)
        assert turn.outcome == "waiting"
        (question,) = turn.questions
        assert "never came back" in question.reason
        by = {"user_id": "mara", "roles": ["refund-lead"]}
        turn = await live.resume({question.id: {"type": "reject", "by": by}}, thread="t", session=SESSION)
        assert turn.outcome == "answered"
        assert turn.calls[-1].outcome == "unknown_outcome"
        turn = await live.ask("Where is ORD-000124?", thread="t", session=SESSION)
        assert (turn.outcome, turn.calls[-1].outcome) == ("answered", "ok")
    assert refunds(project_root) == 1
