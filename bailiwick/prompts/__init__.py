"""Prompts: every text that an agent was ever told to be, by its content and by number."""

from bailiwick.prompts.in_force import PromptInForce
from bailiwick.prompts.store import PromptStore
from bailiwick.prompts.version import PromptVersion, unnumbered

__all__ = ["PromptInForce", "PromptStore", "PromptVersion", "unnumbered"]
