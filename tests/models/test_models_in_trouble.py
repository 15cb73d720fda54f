"""Models that fail well: fallbacks, rates, a breaker, a budget of retries, answers that break off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from bailiwick import FunctionModel
from bailiwick.errors import ConfigError, ModelRequestForbidden, ModelUnavailable, PromptTooLarge
from bailiwick.models import ModelGuards, ModelLimits, Models, Tried, one_model, request_answer, resolve_model
from bailiwick.resilience import deadline

QUESTION = [HumanMessage("Where is it?")]


class Busy(Exception):
    status_code = 503


class TooMany(Exception):
    status_code = 429

    def __init__(self, after: str) -> None:
        self.response = type("Response", (), {"headers": {"retry-after": after}})()
        super().__init__("slow down")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_model, "_backoff", lambda state: 0.01)


class Says:
    """A model of what it does in turn, the last for ever: words that it says, or an error that it raises."""

    def __init__(self, name: str, *does: str | Exception, takes: int | None = None) -> None:
        self.does = list(does)
        self.asked = 0
        self.model = FunctionModel(function=self.speak, model_name=name)
        if takes is not None:
            self.model.profile = {"max_input_tokens": takes}

    def speak(self, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        self.asked += 1
        does = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        if isinstance(does, Exception):
            raise does
        return AIMessage(does)


def chain(first: Says, *others: Says, **limits: Any) -> Models:
    return Models(model=first.model, fallbacks=tuple(o.model for o in others), limits=ModelLimits(**limits))


async def say(models: Models, tried: list[Tried] | None = None) -> str:
    return (await request_answer(models, QUESTION, [], tried=tried)).message.text


async def test_the_next_model_answers_and_it_is_told_what_was_tried() -> None:
    first, second = Says("first", Busy("down")), Says("second", "here")
    answer = await request_answer(chain(first, second), QUESTION, [])
    assert (answer.message.text, answer.model, answer.attempts) == ("here", second.model, 4)
    words = [each.in_words() for each in answer.tried]
    assert [line.split(", after")[0] for line in words] == [
        "first, attempt 1",
        "first, attempt 2",
        "first, attempt 3",
        "second, attempt 1",
    ]
    assert words[0].endswith("Busy: down")
    assert words[3].endswith("it answered")


async def test_a_refusal_that_will_not_pass_goes_to_the_next_model_at_once() -> None:
    first, second = Says("first", ValueError("no such model")), Says("second", "here")
    assert await say(chain(first, second)) == "here"
    assert first.asked == 1


async def test_a_prompt_too_large_for_one_goes_to_one_that_takes_it() -> None:
    small, large = Says("small", "never", takes=5), Says("large", "here")
    tried: list[Tried] = []
    assert await say(chain(small, large), tried) == "here"
    assert small.asked == 0
    assert "not asked" in tried[0].in_words()
    assert "small takes 5" in tried[0].in_words()
    with pytest.raises(PromptTooLarge, match="small takes 5"):
        await say(chain(small))


async def test_none_of_them_answering_names_each() -> None:
    tried: list[Tried] = []
    with pytest.raises(ModelUnavailable, match=r"none of 2 models answered: .*first.*Busy.*; .*second.*ValueError"):
        await say(chain(Says("first", Busy("down")), Says("second", ValueError("no"))), tried)
    assert len(tried) == 4


async def test_a_forbidden_request_is_passed_over_to_nobody() -> None:
    second = Says("second", "here")
    with pytest.raises(ModelRequestForbidden):
        await say(chain(Says("first", ModelRequestForbidden("not in tests")), second))
    assert second.asked == 0


async def test_a_model_that_hangs_leaves_time_for_the_next(serve: Any, reply: Any) -> None:
    serve(reply(text="late", hang=3))
    second = Says("second", "here")
    models = Models(model=resolve_model("openai:served"), fallbacks=(second.model,))
    with deadline(1):
        assert await say(models) == "here"


async def test_a_model_that_fails_again_and_again_is_left_alone_and_then_asked_once() -> None:
    first, second = Says("first", Busy("down")), Says("second", "here")
    models = chain(first, second, failures_to_open=3, open_seconds=0.8)
    tried: list[Tried] = []
    assert await say(models) == "here"
    assert first.asked == 3
    assert await say(models, tried) == "here"
    assert first.asked == 3, "it is left alone"
    assert "left alone for" in tried[0].in_words()
    assert "Busy: down" in tried[0].in_words()
    await asyncio.sleep(0.85)
    assert await asyncio.gather(*(say(models) for _ in range(5))) == ["here"] * 5
    assert first.asked == 4, "one of many is let through to see"
    first.does = ["back"]
    await asyncio.sleep(1.65)
    assert await say(models) == "back"
    assert await say(models) == "back"


async def test_what_the_caller_got_wrong_does_not_speak_against_the_model() -> None:
    first = Says("first", *[ValueError("no")] * 4, "here")
    models = chain(first, failures_to_open=2)
    for _ in range(4):
        with pytest.raises(ModelUnavailable):
            await say(models)
    assert await say(models) == "here"


async def test_a_pause_that_the_server_asks_for_is_kept_by_every_request() -> None:
    first, second = Says("first", TooMany("120")), Says("second", "here")
    models = chain(first, second)
    assert [await say(models) for _ in range(3)] == ["here"] * 3
    assert first.asked == 1


async def test_a_cancelled_probe_frees_the_place_for_the_next() -> None:
    gate = asyncio.Event()

    class Slow(FunctionModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            if not gate.is_set():
                await asyncio.sleep(60)
            return self._generate(*args[:1])

    first = Says("first", Busy("down"))
    slow = Slow(function=first.speak, model_name="slow")
    models = Models(model=slow, limits=ModelLimits(failures_to_open=1, open_seconds=0.1, attempts=1))
    gate.set()
    with pytest.raises(ModelUnavailable):
        await say(models)
    await asyncio.sleep(0.15)
    gate.clear()
    probe = asyncio.create_task(say(models))
    await asyncio.sleep(0.05)
    with pytest.raises(ModelUnavailable, match="left alone"):
        await say(models)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    gate.set()
    first.does = ["back"]
    assert await say(models) == "back"


async def test_retries_are_a_share_of_requests() -> None:
    first = Says("first", Busy("down"))
    models = chain(first, failures_to_open=10_000, retry_share=0.5)
    for _ in range(40):
        with pytest.raises(ModelUnavailable):
            await say(models)
    # 40 requests, the 10 retries to begin with, and half a retry for each; 120 without a budget.
    assert 66 <= first.asked <= 70
    none = Says("none", Busy("down"))
    with pytest.raises(ModelUnavailable):
        await say(chain(none, retry_share=0))
    assert none.asked == 1


async def test_requests_wait_for_their_rate_and_are_not_sent_where_the_wait_is_too_long() -> None:
    first, second = Says("first", "here"), Says("second", "instead")
    models = chain(first, second, requests_per_minute=60)
    started = time.monotonic()
    assert await asyncio.gather(*(say(models) for _ in range(12))) == ["here"] * 12
    assert time.monotonic() - started >= 1.9, "ten at once, then one a second"
    tried: list[Tried] = []
    with deadline(0.4):
        assert await say(models, tried) == "instead"
    assert "requests_per_minute of first (60) leaves no room" in tried[0].in_words()


async def test_tokens_are_counted_too() -> None:
    first = Says("first", "here")
    models = chain(first, tokens_per_minute=120)
    long = [HumanMessage("word " * 40)]
    await request_answer(models, long, [])
    with deadline(0.5), pytest.raises(ModelUnavailable, match="tokens_per_minute of first"):
        await request_answer(models, long, [])
    assert first.asked == 1


async def test_no_more_are_under_way_at_once_than_allowed() -> None:
    now = most = 0

    class Slow(FunctionModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            nonlocal now, most
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            return self._generate(*args[:1])

    model = Slow(function=Says("x", "here").speak, model_name="slow")
    models = Models(model=model, limits=ModelLimits(at_once=2))
    assert await asyncio.gather(*(say(models) for _ in range(8))) == ["here"] * 8
    assert most == 2
    one = Models(model=model, limits=ModelLimits(at_once=1), guards=ModelGuards())
    with deadline(0.12):
        said = await asyncio.gather(*(say(one) for _ in range(6)), return_exceptions=True)
    held = [each for each in said if isinstance(each, ModelUnavailable)]
    assert any("under way and none ended in time" in str(each) for each in held)


async def test_agents_with_the_same_model_share_its_limits_and_the_tightest_holds() -> None:
    first, guards = Says("first", "here"), ModelGuards()
    one = Models(model=first.model, limits=ModelLimits(requests_per_minute=60), guards=guards)
    other = Models(model=first.model, limits=ModelLimits(requests_per_minute=6), guards=guards)
    assert await say(other) == "here"
    with deadline(0.5), pytest.raises(ModelUnavailable, match=r"requests_per_minute of first \(6\)"):
        await say(one)


async def test_an_answer_that_breaks_off_is_noticed_and_asked_for_again(serve: Any, reply: Any) -> None:
    served = serve(reply(text="one two three", stall=3), reply(text="four five"))
    models = Models(model=resolve_model("openai:served"), limits=ModelLimits(stall_seconds=0.3))
    tried: list[Tried] = []
    broken: list[str] = []

    async def think(state: MessagesState) -> dict[str, Any]:
        answer = await request_answer(
            models, state["messages"], [], tried=tried, broken_off=lambda each: broken.append(each.failure)
        )
        return {"messages": [answer.message]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    given: Any = {"messages": QUESTION}
    started = time.monotonic()
    heard = [
        part.text
        async for part, _ in graph.compile().astream(given, stream_mode="messages")
        if isinstance(part, AIMessageChunk) and part.text
    ]
    assert time.monotonic() - started < 2.5
    assert heard == ["one ", "four ", "five"]
    assert len(served.asked) == 2
    assert broken == [tried[0].failure]
    assert "said nothing for 0.3 s" in broken[0]


async def test_an_answer_that_nobody_streams_is_not_taken_for_broken_off(serve: Any, reply: Any) -> None:
    serve(reply(text="one two three", hang=0.6))
    models = Models(model=resolve_model("openai:served"), limits=ModelLimits(stall_seconds=0.2))
    assert await say(models) == "one two three"


@pytest.mark.parametrize("limit", ["attempts", "at_once", "requests_per_minute", "stall_seconds"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(ConfigError, match=f"limits.{limit}"):
        ModelLimits(**{limit: 0})
