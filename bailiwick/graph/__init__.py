"""States, and the nodes: retrieve, think, act, and those that grade, plan, delegate and hand over."""

from bailiwick.graph.delegating import Delegating
from bailiwick.graph.grading import Grading
from bailiwick.graph.handing_over import HandingOver
from bailiwick.graph.nodes import Nodes
from bailiwick.graph.planning import Planning
from bailiwick.graph.state import Answer, CorrectiveState, HandoverState, PlanState, State

__all__ = [
    "Answer",
    "CorrectiveState",
    "Delegating",
    "Grading",
    "HandingOver",
    "HandoverState",
    "Nodes",
    "PlanState",
    "Planning",
    "State",
]
