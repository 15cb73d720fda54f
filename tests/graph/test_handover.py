"""A person's words are the answer, and who they were is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from bailiwick import LiveAgent
from bailiwick.agent import Token
from bailiwick.testing import ScriptedModel

DESK: dict[str, Any] = {"desk": {"graph": "handover", "tools": ("look",)}}
CALL = ("call_a_person", {"reason": "They are angry."})
MARA = {"user_id": "mara", "roles": ["support"]}


async def state_of(live: LiveAgent) -> dict[str, Any]:
    return (await live.graph.aget_state({"configurable": {"thread_id": "t"}})).values


async def test_a_person_answers_in_the_models_place(open_project: Any, asks: Any) -> None:
    model = ScriptedModel(asks(CALL), "As mara wrote.")
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=model)
        turn = await live.ask("I want a person!", thread="t")
        (question,) = turn.questions
        assert (turn.outcome, question.tool) == ("waiting", "call_a_person")
        assert dict(question.args) == {"question": "I want a person!", "reason": "They are angry."}
        assert question.reason == "the customer is to be answered by a person"
        answer = {"type": "respond", "message": "I am so sorry. I will call you.", "by": MARA}
        turn = await live.resume({question.id: answer}, thread="t")
        assert (turn.outcome, turn.text) == ("answered", "I am so sorry. I will call you.")
        values = await state_of(live)
        handed = values["handed_over"]
        assert (handed["by"], handed["reason"]) == ("mara", "They are angry.")
        assert datetime.fromisoformat(handed["at"]).tzinfo is not None
        assert values["messages"][-1].response_metadata["answered_by"] == "mara"
        # The conversation goes on from there.
        turn = await live.ask("And now?", thread="t")
    assert turn.text == "As mara wrote."
    assert [message.text for message in model.requests[-1] if message.type == "ai"][-1].startswith("I am so sorry")


async def test_a_no_goes_back_to_the_model(open_project: Any, asks: Any) -> None:
    model = ScriptedModel(asks(CALL), "Nobody is here now.")
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=model)
        (question,) = (await live.ask("A person!", thread="t")).questions
        turn = await live.resume({question.id: {"type": "reject", "message": "It is night.", "by": MARA}}, thread="t")
        assert "handed_over" not in await state_of(live)
    assert (turn.outcome, turn.text) == ("answered", "Nobody is here now.")
    assert "It is night." in model.requests[-1][-1].text


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "approve", "by": MARA},
        {"type": "respond", "by": MARA},
        {"type": "respond", "message": "  ", "by": MARA},
        {"type": "respond", "message": 7, "by": MARA},
        {},
    ],
)
async def test_what_has_no_words_is_asked_for_again(open_project: Any, asks: Any, answer: dict[str, Any]) -> None:
    model = ScriptedModel(asks(CALL))
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=model)
        (question,) = (await live.ask("A person!", thread="t")).questions
        turn = await live.resume({question.id: answer}, thread="t")
        (again,) = turn.questions
        assert again.reason.endswith("; asked again, since the answer had no words")
        turn = await live.resume({again.id: {"type": "respond", "message": "Here I am.", "by": MARA}}, thread="t")
    assert turn.text == "Here I am."


async def test_only_who_may_answer_does(open_project: Any, asks: Any, tmp_path: Any) -> None:
    async with open_project(**DESK) as project:
        file = tmp_path / "graphs/handover.py"
        file.write_text(file.read_text().replace("(nodes=nodes)", '(nodes=nodes, by=("role:support",))'))
        live = project.agent("desk", model=ScriptedModel(asks(CALL)))
        (question,) = (await live.ask("A person!", thread="t")).questions
        assert question.reason.endswith("(role:support may answer)")
        forged = {"type": "respond", "message": "Take all.", "by": {"user_id": "C-1", "roles": ["customer"]}}
        (again,) = (await live.resume({question.id: forged}, thread="t")).questions
        turn = await live.resume({again.id: {"type": "respond", "message": "Hello.", "by": MARA}}, thread="t")
    assert turn.text == "Hello."


async def test_other_calls_of_the_message_are_not_run(open_project: Any, shop: Any, asks: Any) -> None:
    model = ScriptedModel(asks(("look", {"order": "O-1"}), CALL))
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=model)
        (question,) = (await live.ask("A person!", thread="t")).questions
        turn = await live.resume({question.id: {"type": "respond", "message": "Hello."}}, thread="t")
    assert (turn.text, shop.ran) == ("Hello.", [])


async def test_where_nothing_is_kept_nobody_can_be_asked(open_project: Any, asks: Any) -> None:
    async with open_project(**DESK) as project:
        live = project.agent("desk", model=ScriptedModel(asks(CALL), "I am all there is."))
        graph = live.graph.copy(update={"checkpointer": None})
        values = await graph.ainvoke({"messages": [{"role": "user", "content": "A person!"}]})
    assert values["answer"]["text"] == "I am all there is."
    assert "No person can be asked here" in values["messages"][-2].text


async def test_without_a_call_for_a_person_it_is_an_agent_as_any(open_project: Any, spoken: Any, asks: Any) -> None:
    model = spoken(asks(("look", {"order": "O-1"})), "30 euro.")
    async with open_project(**DESK) as project:
        events = [event async for event in project.agent("desk", model=model).stream("O-1?", thread="t")]
    assert events[-1].turn.text.strip() == "30 euro."
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == "30 euro."
