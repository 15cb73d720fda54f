"""The support desk thinks in a loop: find what we know, then think and act until there is an answer.

retrieve → think ⇄ act
"""

from langgraph.graph import END, START, StateGraph

from bailiwick import Nodes, Session, State


def build(nodes: Nodes) -> StateGraph:
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_node("think", nodes.think)
    graph.add_node("act", nodes.act)

    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "think")
    graph.add_conditional_edges("think", nodes.after_think, ["act", END])
    graph.add_edge("act", "think")
    return graph
