"""A person answers when the agent calls for one; what they write is the answer, and who they were is kept.

retrieve → think ⇄ act
             ⇅
         hand_over
"""

from langgraph.graph import END, START, StateGraph

from bailiwick import HandingOver, HandoverState, Nodes, Session


def build(nodes: Nodes) -> StateGraph:
    handing_over = HandingOver(nodes=nodes)
    graph = StateGraph(HandoverState, context_schema=Session)
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_node("think", handing_over.think)
    graph.add_node("act", nodes.act)
    graph.add_node("hand_over", handing_over.hand_over)

    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "think")
    graph.add_conditional_edges("think", handing_over.after_think, ["act", "hand_over", END])
    graph.add_edge("act", "think")
    graph.add_conditional_edges("hand_over", handing_over.after_hand_over, ["think", END])
    return graph
