"""smolagents' DockerExecutor: one Jupyter kernel in one container, which every call goes to and leaves its state in.

Its image is the peers' with this environment's libraries mounted into it, the kernel's gateway among them.
"""

from __future__ import annotations

import socket
import sys
import sysconfig

from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.remote_executors import DockerExecutor
from speak import serve

GATEWAY = ["python", "-m", "kernel_gateway", "--KernelGatewayApp.ip=0.0.0.0", "--KernelGatewayApp.port=8888"]


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    executor = DockerExecutor(
        [],
        AgentLogger(level=LogLevel.OFF),
        port=port,
        image_name=sys.argv[1],
        build_new_image=False,
        container_run_kwargs={
            "command": GATEWAY,
            "environment": {"PYTHONPATH": "/site", "HOME": "/tmp"},
            "volumes": {sysconfig.get_path("purelib"): {"bind": "/site", "mode": "ro"}},
            "init": True,
        },
    )
    try:
        serve(lambda code: executor.run_code_raise_errors(code).logs)
    finally:
        executor.cleanup()


if __name__ == "__main__":
    main()
