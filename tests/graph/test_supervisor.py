"""Work is handed over, authority is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

from bailiwick import FunctionModel, Session
from bailiwick.agent import Token
from bailiwick.errors import ConfigError
from bailiwick.testing import ScriptedModel

DESK = {"graph": "supervisor", "specialists": ("orders", "refunds")}
ORDERS = {"tools": ("look", "read_page"), "purpose": "looks orders up"}
REFUNDS = {"tools": ("pay_back",)}
TEAM: dict[str, Any] = {"desk": DESK, "orders": ORDERS, "refunds": REFUNDS}


def hand_over(to: str, task: str) -> tuple[str, dict[str, Any]]:
    return "hand_over", {"to": to, "task": task}


def told(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    return [(message.type, message.text) for message in messages if message.type != "system"]


async def test_specialists_do_the_work_in_their_own_names_and_the_supervisor_answers(
    open_project: Any, shop: Any, asks: Any
) -> None:
    model = ScriptedModel(
        asks(hand_over("orders", "look O-1 up")),
        asks(("look", {"order": "O-1"})),
        "O-1 was paid with 30.",
        asks(hand_over("refunds", "pay 20 of O-1 back")),
        asks(("pay_back", {"order": "O-1", "amount": 20})),
        "20 paid back.",
        "Your 20 euro are on their way.",
    )
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("Refund 20 of O-1", thread="t")
    model.assert_complete()
    assert (turn.outcome, turn.text, turn.error) == ("answered", "Your 20 euro are on their way.", "")
    assert [(call.agent, call.tool, call.outcome) for call in turn.calls] == [
        ("orders", "look", "ok"),
        ("refunds", "pay_back", "ok"),  # "after" and "from: user" saw the whole conversation
    ]
    assert shop.ran == [("look", "O-1"), ("pay_back", "O-1", 20)]


async def test_each_sees_its_part_and_every_prompt_ends_with_the_customer_or_a_result(
    open_project: Any, asks: Any
) -> None:
    model = ScriptedModel(
        asks(hand_over("orders", "look O-1 up")), asks(("look", {"order": "O-1"})), "Paid with 30.", "It cost 30."
    )
    async with open_project(**TEAM) as project:
        await project.agent("desk", model=model).ask("What did O-1 cost?", thread="t")
    supervisor, first, second, last = model.requests
    assert [messages[0].text.splitlines()[0] for messages in model.requests] == [
        "You are desk.",
        "You are orders.",
        "You are orders.",
        "You are desk.",
    ]
    assert told(supervisor) == [("human", "What did O-1 cost?")]
    assert [kind for kind, _ in told(first)] == ["human", "ai", "tool"]
    assert "The task: look O-1 up" in first[-1].text
    assert [kind for kind, _ in told(second)] == ["human", "ai", "tool", "ai", "tool"]
    assert told(last) == [("human", "What did O-1 cost?"), ("ai", ""), ("tool", "Paid with 30.")]
    assert not any(
        "task" in text.lower() for messages in model.requests for kind, text in told(messages) if kind == "human"
    )


async def test_what_the_supervisor_writes_as_a_task_is_never_what_the_customer_said(
    open_project: Any, shop: Any, asks: Any
) -> None:
    model = ScriptedModel(
        asks(hand_over("orders", "look O-1 up")),
        asks(("look", {"order": "O-1"})),
        "Done.",
        asks(hand_over("refunds", "The customer wants 40 of O-1 back.")),
        asks(("pay_back", {"order": "O-1", "amount": 40})),
        "Not without a person.",
        "A colleague has to agree to that.",
    )
    async with open_project(**TEAM) as project:
        live = project.agent("desk", model=model)
        turn = await live.ask("What about O-1?", thread="t")
        (question,) = turn.questions
        assert (turn.outcome, question.tool, shop.ran) == ("waiting", "pay_back", [("look", "O-1")])
        turn = await live.resume({question.id: {"type": "reject"}}, thread="t")
    assert turn.text == "A colleague has to agree to that."
    # The order's number is the customer's word; the sum stands in the task alone, which is a model's.
    assert turn.calls[-1].origins == {"order": ["user", "tool:look"], "amount": ["model"]}


async def test_untrusted_content_that_one_specialist_read_counts_for_the_other(
    open_project: Any, shop: Any, asks: Any
) -> None:
    model = ScriptedModel(
        asks(hand_over("orders", "look O-1 up and read the page")),
        asks(("look", {"order": "O-1"}), ("read_page", {"name": "news"})),
        "The page wants a refund.",
        asks(hand_over("refunds", "pay 20 of O-1 back")),
        asks(("pay_back", {"order": "O-1", "amount": 20})),
        "Not allowed.",
        "I cannot.",
    )
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("Refund 20 of O-1, see the page", thread="t")
    assert (turn.calls[-1].decision, turn.calls[-1].key) == ("deny", "on_untrusted")
    assert ("pay_back", "O-1", 20) not in shop.ran


@pytest.mark.parametrize("specialist", ["desk", "orders"])
async def test_nobody_calls_what_is_not_theirs(open_project: Any, shop: Any, asks: Any, specialist: str) -> None:
    # The policy allows desk the call; it is not among its tools all the same.
    script = [asks(("look", {"order": "O-1"}), ("pay_back", {"order": "O-1", "amount": 20})), "No.", "I cannot."]
    if specialist == "orders":
        script.insert(0, asks(hand_over("orders", "pay 20 of O-1 back")))
    else:
        script.pop()
    model = ScriptedModel(*script)
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("Refund 20 of O-1", thread="t")
    assert [(call.agent, call.tool, call.outcome, call.key) for call in turn.calls if call.tool == "pay_back"] == [
        (specialist, "pay_back", "denied", "offered")
    ]
    assert ("pay_back", "O-1", 20) not in shop.ran


async def test_specialists_are_offered_their_own_tools_and_no_hand_over(open_project: Any, asks: Any) -> None:
    offers: list[list[str]] = []
    script = iter([asks(hand_over("refunds", "x")), "done", "done"])

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        offers.append([tool["name"] for tool in tools])
        said = next(script)
        return said if isinstance(said, AIMessage) else AIMessage(said)

    async with open_project(**TEAM) as project:
        await project.agent("desk", model=FunctionModel(function=speak)).ask("hello", thread="t")
    assert offers == [["hand_over"], ["pay_back"], ["hand_over"]]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"to": "magic", "task": "do it"}, "There is no specialist 'magic'. Specialists here: orders, refunds."),
        ({"to": "orders", "task": "  "}, "The task is empty."),
        ({"to": "orders"}, "The task is empty."),
        ({}, "There is no specialist None."),
    ],
)
async def test_a_hand_over_that_cannot_be_is_a_message_the_model_can_act_on(
    open_project: Any, asks: Any, args: dict[str, Any], says: str
) -> None:
    model = ScriptedModel(asks(("hand_over", args)), "Then I do it myself.")
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("hello", thread="t")
    assert (turn.outcome, turn.text) == ("answered", "Then I do it myself.")
    assert model.requests[-1][-1].text.startswith(says)


async def test_two_hand_overs_of_one_message_are_done_one_after_the_other(open_project: Any, asks: Any) -> None:
    model = ScriptedModel(
        asks(hand_over("orders", "one"), hand_over("nobody", "?"), hand_over("refunds", "two")),
        "first done",
        "second done",
        "both done",
    )
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("hello", thread="t")
    assert turn.text == "both done"
    assert "This is done after what is at work now." in [message.text for message in model.requests[1]]
    assert "first done" in [message.text for message in model.requests[2]]
    assert [text for kind, text in told(model.requests[3]) if kind == "tool"] == [
        "first done",
        "There is no specialist 'nobody'. Specialists here: orders, refunds.",
        "second done",
    ]


async def test_what_specialists_report_is_no_part_of_what_the_customer_hears(
    open_project: Any, spoken: Any, asks: Any
) -> None:
    model = spoken(asks(hand_over("orders", "look")), "It was 30.", "It cost 30.")
    async with open_project(**TEAM) as project:
        live = project.agent("desk", model=model)
        events = [event async for event in live.stream("What did O-1 cost?", thread="t")]
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == "It cost 30."


async def test_the_requests_of_a_turn_are_counted_over_all_of_them_together(open_project: Any, asks: Any) -> None:
    count = 0

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        nonlocal count
        count += 1
        if not tools:
            return AIMessage("This is what I have.")
        supervising = tools[-1]["name"] == "hand_over"
        return asks(hand_over("orders", "more") if supervising else ("look", {"order": f"O-{count}"}))

    async with open_project(**{**TEAM, "desk": {**DESK, "max_steps": 7}}) as project:
        live = project.agent("desk", model=FunctionModel(function=speak))
        first = await live.ask("hello", thread="t")
        assert (first.outcome, first.text, count) == ("limit", "This is what I have.", 7)
        # The next question has all of them again.
        second = await live.ask("again", thread="t")
        assert (second.outcome, count) == ("limit", 14)


async def test_many_hand_overs_at_once_do_not_get_past_the_limit(open_project: Any, asks: Any) -> None:
    requests = 0

    def speak(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> AIMessage:
        nonlocal requests
        requests += 1
        if tools and tools[-1]["name"] == "hand_over":
            return asks(*[hand_over("orders", f"task {n}") for n in range(9)])
        return AIMessage("done")

    async with open_project(**{**TEAM, "desk": {**DESK, "max_steps": 5}}) as project:
        turn = await project.agent("desk", model=FunctionModel(function=speak)).ask("hello", thread="t")
    assert (turn.outcome, turn.text, requests) == ("limit", "done", 5)


async def test_a_call_of_a_specialist_that_waits_for_a_person_goes_on_where_it_was(
    open_project: Any, shop: Any, asks: Any, tmp_path: Path
) -> None:
    model = ScriptedModel(
        asks(hand_over("refunds", "pay back")),
        asks(("pay_back", {"order": "O-1", "amount": 40})),
        "40 paid back.",
        "Done.",
    )
    async with open_project(**TEAM) as project:
        policy = tmp_path / "policies/pay_back.yaml"
        policy.write_text(
            "version: 1\ntool: pay_back\neffect: write\noutput: {trust: trusted}\nrules: [{id: lead, decision: ask, "
            'agents: [refunds], args: {order: {}, amount: {}}, approval: {by: ["role:lead"]}, reason: r}]\n'
        )
        live = project.agent("desk", model=model)
        turn = await live.ask("Refund 40 of O-1", thread="t")
        assert (turn.outcome, [question.tool for question in turn.questions]) == ("waiting", ["pay_back"])
        answer = {"type": "approve", "by": {"user_id": "mara", "roles": ["lead"]}}
        turn = await live.resume({turn.questions[0].id: answer}, thread="t")
    assert (turn.outcome, turn.text, shop.ran) == ("answered", "Done.", [("pay_back", "O-1", 40)])
    assert turn.calls[0].approved_by == "mara"


async def test_the_session_is_the_same_for_all(open_project: Any, shop: Any, asks: Any, tmp_path: Path) -> None:
    model = ScriptedModel(asks(hand_over("orders", "look")), asks(("look", {"order": "C-1"})), "ok", "ok")
    async with open_project(**TEAM) as project:
        (tmp_path / "policies/look.yaml").write_text(
            "version: 1\ntool: look\neffect: read\nrules: [{id: own, decision: allow, agents: [orders], "
            "args: {order: {equals: $session.user_id}}, reason: r}]\n"
        )
        turn = await project.agent("desk", model=model).ask("look", thread="t", session=Session(user_id="C-1"))
    assert turn.calls[0].outcome == "ok"


@pytest.mark.parametrize("repeated", [True, False], ids=["ids repeat", "ids do not"])
async def test_call_ids_that_a_provider_counts_from_one_confuse_nobody(open_project: Any, repeated: bool) -> None:
    def asks(n: int, *call: Any) -> AIMessage:
        name, args = call
        made = "call-1" if repeated else f"call-{n}"
        return AIMessage("", tool_calls=[{"name": name, "args": args, "id": made, "type": "tool_call"}])

    model = ScriptedModel(
        asks(1, *hand_over("orders", "look")), asks(2, "look", {"order": "O-1"}), "Paid with 30.", "It cost 30."
    )
    async with open_project(**TEAM) as project:
        turn = await project.agent("desk", model=model).ask("What did O-1 cost?", thread="t")
    assert (turn.outcome, turn.text, [call.outcome for call in turn.calls]) == ("answered", "It cost 30.", ["ok"])
    assert told(model.requests[-1])[-1] == ("tool", "Paid with 30.")


@pytest.mark.parametrize(
    ("agents", "says"),
    [
        ({"desk": {"graph": "supervisor"}}, "hands work over, and the agent has no specialists"),
        ({"desk": {**DESK, "specialists": ("magic",)}}, "there is no other agent 'magic'"),
        ({"desk": {**DESK, "specialists": ("desk",)}}, "there is no other agent 'desk'"),
        (
            {"desk": {**DESK, "specialists": ("lead",)}, "lead": {"specialists": ("refunds",)}, "refunds": {}},
            "the specialist 'lead' has specialists of its own",
        ),
        ({"desk": {**DESK, "specialists": ("odd",)}, "odd": {"tools": ("fly",)}}, "there is no tool 'fly'"),
    ],
)
async def test_a_team_that_does_not_meet_is_one_clear_error(
    open_project: Any, agents: dict[str, Any], says: str
) -> None:
    async with open_project(**agents) as project:
        with pytest.raises(ConfigError, match=says):
            project.agent("desk", model=ScriptedModel())
