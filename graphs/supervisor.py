"""A supervisor answers, or hands work to specialists: agents with tools and policies of their own.

          act
           ⇅
supervise ⇄ delegate ⇄ orders  ⇄ orders_act
                     ⇄ refunds ⇄ refunds_act
"""

from langgraph.graph import END, START, StateGraph

from bailiwick import Delegating, Nodes, Session, State


def build(nodes: Nodes) -> StateGraph:
    team = Delegating(nodes=nodes)
    graph = StateGraph(State, context_schema=Session)
    graph.add_node("supervise", team.supervise)
    graph.add_node("act", nodes.act)
    graph.add_node("delegate", team.delegate)
    for name, specialist in team.specialists.items():
        graph.add_node(name, specialist.think)
        graph.add_node(specialist.act_name, specialist.act)

    graph.add_edge(START, "supervise")
    graph.add_conditional_edges("supervise", team.after_supervise, ["act", "delegate", END])
    graph.add_edge("act", "delegate")
    graph.add_conditional_edges("delegate", team.after_delegate, [*team.specialists, "supervise"])
    for name, specialist in team.specialists.items():
        graph.add_conditional_edges(name, specialist.after_think, [specialist.act_name, "delegate"])
        graph.add_edge(specialist.act_name, name)
    return graph
