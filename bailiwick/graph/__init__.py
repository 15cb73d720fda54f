"""State, and the nodes: retrieve, think, act."""

from bailiwick.graph.nodes import Nodes
from bailiwick.graph.state import Answer, State

__all__ = ["Answer", "Nodes", "State"]
