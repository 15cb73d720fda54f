"""llm-sandbox with its pool of waiting containers.

``reused`` is as it comes: a container is handed out again, with what earlier calls left in it. ``once`` throws it away
after a call (``max_container_uses=1``). Timed until the answer is there; giving the container back is not counted.
"""

from __future__ import annotations

import sys

from llm_sandbox.pool import PoolConfig, PooledSandboxSession, create_pool_manager
from speak import serve


def main() -> None:
    image, use = sys.argv[1:]
    pool = create_pool_manager(
        backend="docker",
        config=PoolConfig(min_pool_size=2, max_pool_size=4, max_container_uses=1 if use == "once" else None),
        lang="python",
        image=image,
        skip_environment_setup=True,
        runtime_configs={"network_mode": "none", "init": True},
    )
    last: list[PooledSandboxSession] = []

    def call(code: str) -> str:
        session = PooledSandboxSession(pool_manager=pool)
        session.open()
        last.append(session)
        return session.run(code).stdout

    def give_back() -> None:
        while last:
            last.pop().close()

    try:
        serve(call, afterwards=give_back)
    finally:
        pool.close()


if __name__ == "__main__":
    main()
