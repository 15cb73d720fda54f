"""A host that opens a sandbox and keeps it busy until it is killed. ``test_nothing_left_behind`` starts it.

Its settings come by the environment, so that no argument of its own bears the name that is looked for afterwards.
Says ``open`` and ``busy`` on stdout when it is so. ``HOST_DOES``: ``load``, ``wait`` (one long call) or ``open``
(nothing more: close and end).
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from bailiwick.sandbox import Mount, Request, Sandbox, Spec, open_sandbox

CALLERS = 4
TOOL = Path(os.environ["HOST_TOOL"])
OUT = Path(os.environ["HOST_OUT"])
RANDOM = random.Random(os.environ["HOST_SEED"])
UID = os.getuid() or 65534

WRITING = Spec(
    image="python",
    mounts=(
        Mount(source=TOOL, target="/tool/exhaust.py"),
        Mount(source=OUT, target="/work/out", write=True),
    ),
    uid=UID,
)
READING = Spec(
    image="python",
    mounts=(Mount(source=TOOL, target="/tool/exhaust.py"), Mount(source=OUT, target="/work/out")),
    uid=UID,
)


async def call(sandbox: Sandbox, number: int) -> None:
    spec = RANDOM.choice((WRITING, WRITING, READING))
    match RANDOM.randrange(4):
        case 0 if spec is WRITING:
            function, args = "leave_a_daemon", {"file": f"/work/out/daemon-{number}"}
        case 1:
            function, args = "sleep", {"seconds": 5}
        case _:
            function, args = "sleep", {"seconds": RANDOM.random() / 5}
    await sandbox.run(spec, Request(file="/tool/exhaust.py", function=function, args=args, time=10))


async def keep_calling(sandbox: Sandbox, number: int) -> None:
    while True:
        await call(sandbox, number)


async def main() -> None:
    sandbox = await open_sandbox(os.environ["HOST_KIND"])
    print("open", flush=True)
    match os.environ["HOST_DOES"]:
        case "load":
            print("busy", flush=True)
            async with asyncio.TaskGroup() as callers:
                for number in range(CALLERS):
                    callers.create_task(keep_calling(sandbox, number))
        case "wait":
            asked = {"seconds": 500, "file": "/work/out/mark"}
            await sandbox.run(WRITING, Request(file="/tool/exhaust.py", function="sleep", args=asked, time=600))
        case _:
            await sandbox.close()


asyncio.run(main())
