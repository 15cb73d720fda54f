"""Answers that rest on documents: what was found is graded, and searched for in other words when nothing helps.

retrieve → grade → think ⇄ act
   ↑         ├──→ rewrite ──┐
   │         └──→ give_up   │
   └────────────────────────┘
"""

from langgraph.graph import END, START, StateGraph

from bailiwick import CorrectiveState, Grading, Nodes, Session


def build(nodes: Nodes) -> StateGraph:
    grading = Grading(nodes=nodes, rewrites=2)
    graph = StateGraph(CorrectiveState, context_schema=Session)
    graph.add_node("retrieve", grading.retrieve)
    graph.add_node("grade", grading.grade)
    graph.add_node("rewrite", grading.rewrite)
    graph.add_node("give_up", grading.give_up)
    graph.add_node("think", nodes.think)
    graph.add_node("act", nodes.act)

    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "grade")
    graded = {"helps": "think", "search again": "rewrite", "give up": "give_up"}
    graph.add_conditional_edges("grade", grading.after_grade, graded)
    graph.add_edge("rewrite", "retrieve")
    graph.add_conditional_edges("think", nodes.after_think, ["act", END])
    graph.add_edge("act", "think")
    graph.add_edge("give_up", END)
    return graph
