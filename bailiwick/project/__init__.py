"""A project: the four folders, checked to fit together, and what is kept beside them."""

from bailiwick.project.declarations import agent_names
from bailiwick.project.layout import Layout, find_root
from bailiwick.project.opening import Project
from bailiwick.project.serving import served_graph

__all__ = ["Layout", "Project", "agent_names", "find_root", "served_graph"]
