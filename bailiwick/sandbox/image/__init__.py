"""What is laid into a container: the runner, and the host's own interpreter as a tree and as an archive."""

from bailiwick.sandbox.image.archive import write_archive
from bailiwick.sandbox.image.python_tree import PythonTree, python_tree
from bailiwick.sandbox.image.runner import COMMAND, runner_folder

__all__ = ["COMMAND", "PythonTree", "python_tree", "runner_folder", "write_archive"]
