"""Runs Phoenix as a child that ends with its parent. Started by ``phoenix_server`` as a program, never imported.

The parent holds the other end of our standard input and never writes: when that ends, however the parent ended, so do
we. (``PR_SET_PDEATHSIG`` would follow the parent's *thread*, and is Linux only.)
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

PATIENCE = 5.0
"""Seconds that Phoenix has to put its spans away."""


def end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.argv = ["phoenix", "serve"]
    from phoenix.server.main import main

    main()
