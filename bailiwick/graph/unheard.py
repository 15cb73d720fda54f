"""Model requests that nobody is to hear: a grade or a plan is no piece of the answer."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, var_child_runnable_config
from langgraph.constants import TAG_NOSTREAM

__all__ = ["unheard"]


@contextmanager
def unheard() -> Generator[None]:
    """Keep the tokens of the model requests inside out of LangGraph's message stream; spans and callbacks see them."""
    config = ensure_config()
    # By the surrounding config, since which models are asked inside (a fallback, say) is not known here.
    quiet: RunnableConfig = {**config, "tags": [*(config.get("tags") or []), TAG_NOSTREAM]}
    token = var_child_runnable_config.set(quiet)
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)
