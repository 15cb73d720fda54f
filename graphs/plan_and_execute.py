"""A plan first, then one step after the other, each with what came of those before it; the sum of them is the answer.

plan → step ⇄ act
        ⇅
      replan → conclude
"""

from langgraph.graph import END, START, StateGraph

from bailiwick import Nodes, Planning, PlanState, Session


def build(nodes: Nodes) -> StateGraph:
    planning = Planning(nodes=nodes, most=6)
    graph = StateGraph(PlanState, context_schema=Session)
    graph.add_node("plan", planning.plan)
    graph.add_node("step", planning.step)
    graph.add_node("act", nodes.act)
    graph.add_node("replan", planning.replan)
    graph.add_node("conclude", planning.conclude)

    graph.add_edge(START, "plan")
    graph.add_edge("plan", "step")
    graph.add_conditional_edges("step", planning.after_step, ["act", "replan", END])
    graph.add_edge("act", "step")
    graph.add_conditional_edges("replan", planning.after_replan, {"next step": "step", "done": "conclude"})
    graph.add_edge("conclude", END)
    return graph
