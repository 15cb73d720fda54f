"""One attempt at a model, ended when its time is up and when an answer that has begun breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.config import ensure_config, merge_configs

from bailiwick.models.refusals import BrokenCall, Stalled

__all__ = ["Attempt"]


class Attempt:
    """``pieces``: of the answer that have streamed so far; 0 where nobody listens to a stream, since there is none."""

    def __init__(self, *, seconds: float, stall_seconds: float) -> None:
        self.seconds = seconds
        self.stall_seconds = stall_seconds
        self._heard = _Heard()

    @property
    def pieces(self) -> int:
        return self._heard.pieces

    async def run(self, bound: Runnable[Any, AIMessage], messages: Sequence[BaseMessage]) -> AIMessage:
        """Raises TimeoutError, Stalled, BrokenCall and what the model's client raises."""
        config = merge_configs(ensure_config(), {"callbacks": [self._heard]})
        loop, stalled = asyncio.get_running_loop(), False

        def look() -> None:
            nonlocal watch, stalled
            silent = time.monotonic() - self._heard.last if self._heard.pieces else 0.0
            if silent >= self.stall_seconds:
                stalled = True
                clock.reschedule(loop.time())
            else:
                watch = loop.call_later(self.stall_seconds - silent, look)

        watch = loop.call_later(self.stall_seconds, look)
        try:
            async with asyncio.timeout(self.seconds) as clock:
                message = await bound.ainvoke(list(messages), config)
        except TimeoutError:
            if not stalled:
                raise
            said = f"it broke off after {self.pieces} pieces and said nothing for {self.stall_seconds:g} s"
            raise Stalled(said) from None
        finally:
            watch.cancel()
        return _sound(message)


class _Heard(BaseCallbackHandler):
    run_inline = True
    """A note of the time is not worth a thread; and whichever thread it comes from, it is only a note."""

    def __init__(self) -> None:
        self.pieces = 0
        self.last = 0.0

    @property
    def ignore_chat_model(self) -> bool:
        """How it starts is nothing to note; a handler that takes it is given the whole prompt as one text."""
        return True

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.pieces += 1
        self.last = time.monotonic()

    def on_stream_event(self, *args: Any, **kwargs: Any) -> None:
        self.on_llm_new_token()


def _sound(message: AIMessage) -> AIMessage:
    # Kept in the history, a call that nothing can answer makes the provider refuse every later request.
    if message.invalid_tool_calls:
        names = ", ".join(str(call.get("name")) for call in message.invalid_tool_calls)
        raise BrokenCall(f"its arguments for {names} are no JSON")
    return message
