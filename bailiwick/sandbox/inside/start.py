"""The container's command. Isolated mode keeps the environment and the current folder out of ``sys.path``."""

import sys

sys.path.insert(0, "/bailiwick/lib")

from bailiwick.sandbox.inside.runner import main

main(sys.argv[1:])
