"""An agent: model, instructions, graph and tools, compiled; and its turns."""

from bailiwick.agent.declaration import Agent
from bailiwick.agent.events import BrokenOff, Called, Event, Finished, Question, Retrieved, Token, Turn
from bailiwick.agent.live_agent import LiveAgent

__all__ = ["Agent", "BrokenOff", "Called", "Event", "Finished", "LiveAgent", "Question", "Retrieved", "Token", "Turn"]
