"""autogen-ext's DockerCommandLineCodeExecutor: a file and a ``docker exec`` for each call, in one container.

It has no way to ask for a container without a network, as all others here are, so the client is told to make it one.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from functools import partialmethod
from pathlib import Path

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock
from autogen_ext.code_executors.docker import DockerCommandLineCodeExecutor
from docker.models.containers import ContainerCollection
from speak import serve

ContainerCollection.create = partialmethod(ContainerCollection.create, network_mode="none")


def main() -> None:
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="bailiwick-benchmark-") as folder:
        executor = DockerCommandLineCodeExecutor(image=sys.argv[1], work_dir=Path(folder), delete_tmp_files=True)
        loop.run_until_complete(executor.start())

        def call(code: str) -> str:
            block = CodeBlock(code=code, language="python")
            return loop.run_until_complete(executor.execute_code_blocks([block], CancellationToken())).output

        try:
            serve(call)
        finally:
            loop.run_until_complete(executor.stop())


if __name__ == "__main__":
    main()
