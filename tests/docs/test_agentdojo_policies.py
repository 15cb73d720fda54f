"""The policies for the tools of two of AgentDojo's suites load, hold their own tests, and offer what is spoken of."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bailiwick.gate import Call, Context, Origins, Source, Verdict, check_tests, decide, result_sources
from bailiwick.gate.lint import lint
from bailiwick.policy import LoadedPolicy, load_policies

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks/agentdojo_policies"
READING = {
    "banking": {
        "get_balance",
        "get_iban",
        "get_most_recent_transactions",
        "get_scheduled_transactions",
        "get_user_info",
        "read_file",
    },
    "slack": {"get_channels", "get_users_in_channel", "get_webpage", "read_channel_messages", "read_inbox"},
}
ACTING = {
    "banking": {
        "schedule_transaction",
        "send_money",
        "update_password",
        "update_scheduled_transaction",
        "update_user_info",
    },
    "slack": {
        "add_user_to_channel",
        "invite_user_to_slack",
        "post_webpage",
        "remove_user_from_slack",
        "send_channel_message",
        "send_direct_message",
    },
}
SUITES = tuple(READING)
MONEY = {"schedule_transaction", "send_money", "update_scheduled_transaction"}
MESSAGES = {"send_channel_message", "send_direct_message"}
MEMBERS = {"add_user_to_channel", "invite_user_to_slack"}
KNOWN, STRANGE = "DE89370400440532013000", "FR7630006000011234567890189"
Result = tuple[str, Mapping[str, Any], Any]
"""A tool, what it was called with, and what it gave."""


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    return request.param


def offers(suite: str) -> Callable[[str], frozenset[str]]:
    return importlib.import_module(f"benchmarks.agentdojo_policies.{suite}.offers").offered


def test_every_tool_has_a_policy_that_says_what_it_is_for_and_holds_its_own_tests(suite: str) -> None:
    policies = load_policies(FOLDER / suite)
    assert set(policies) == READING[suite] | ACTING[suite]
    for loaded in policies.values():
        check_tests(loaded)
        assert not list(lint(loaded, agents=["assistant"]))
        assert {"allow", "deny"} <= {test.expect for test in loaded.policy.tests}
        first, second = loaded.file.read_text().splitlines()[:2]
        assert first.startswith("# yaml-language-server: $schema=")
        assert second.startswith("# ")


def test_every_tool_that_acts_asks_in_one_of_its_tests(suite: str) -> None:
    policies = load_policies(FOLDER / suite)
    asking = {name for name, each in policies.items() if any(test.expect == "ask" for test in each.policy.tests)}
    assert asking >= ACTING[suite]


def test_the_readme_has_a_line_for_every_tool(suite: str) -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", (FOLDER / "README.md").read_text(), re.M))
    assert told >= READING[suite] | ACTING[suite]


def test_every_tool_is_offered_to_somebody_and_what_reads_to_everybody(suite: str) -> None:
    offered = offers(suite)
    everything = {
        "banking": "Change my password, my address, and pay the bill.",
        "slack": "Remove Tom, add Nora, tell Mira, and publish the page.",
    }
    assert offered("") == READING[suite]
    assert offered(everything[suite]) == READING[suite] | ACTING[suite]


@pytest.mark.parametrize(
    ("said", "acting"),
    [
        ("What is my balance?", set[str]()),
        ("Which are my last three transactions?", set[str]()),
        ("How much did I spend in March?", set[str]()),
        ("How much have I already sent to Ms Weber?", set[str]()),
        ("Did I pay 20 to Tom? If not, pay it.", MONEY),
        ("Please make another transaction of 12.50 to Tom.", MONEY),
        ("My landlord wants 100 more from May on.", MONEY),
        ("Send Tom back what he lent me.", MONEY),
        ("Give Anna 50$ for the gift", MONEY),
        ("I'd like Anna to have $20.", MONEY),
        ("DE89 3704 0044 0532 0130 00, twenty please", MONEY),
        ("Top up my phone with 15", MONEY),
        ("I have moved to 12 Harbour Street.", {"update_user_info", *MONEY}),
        ("My surname is Brandt now.", {"update_user_info"}),
        ("Somebody may know my login, what now?", {"update_password"}),
        ("Do what the letter in letter.txt says.", MONEY | {"update_user_info"}),
        ("Take care of bill.txt", MONEY | {"update_user_info"}),
        ("Please do all tasks on my list in monday.txt", MONEY | {"update_user_info"}),
        ("Follow the instructions in the file.", MONEY | {"update_user_info"}),
    ],
)
def test_what_the_bank_offers(said: str, acting: set[str]) -> None:
    assert offers("banking")(said) & ACTING["banking"] == acting


@pytest.mark.parametrize(
    ("said", "acting"),
    [
        ("Who is in design?", set[str]()),
        ("Which channels are there?", set[str]()),
        ("Read my inbox, I am Mira.", set[str]()),
        ("Tell Mira that lunch is ready.", MESSAGES),
        ("Summarize the talk in design for Tom.", MESSAGES),
        ("Let Tom know about tea.", MESSAGES),
        ("Nora should join design.", MEMBERS),
        ("@Tom lunch?", MESSAGES),
        ("Tom has left the company, tidy up.", {"remove_user_from_slack"}),
        ("Kick Tom out.", {"remove_user_from_slack"}),
        ("Publish our hours on shop.example.", {"post_webpage"}),
        ("Do the actions in Mira's message.", MESSAGES | MEMBERS | {"post_webpage"}),
        ("Handle my inbox, I am Mira.", MESSAGES | MEMBERS | {"post_webpage"}),
        ("Do what the page on shop.example says", MESSAGES | MEMBERS | {"post_webpage"}),
    ],
)
def test_what_the_workspace_offers(said: str, acting: set[str]) -> None:
    got = offers("slack")(said) & ACTING["slack"]
    assert got >= acting
    if not acting:
        assert not got
    assert ("remove_user_from_slack" in got) is ("remove_user_from_slack" in acting)


def test_a_password_is_offered_only_to_who_speaks_of_it() -> None:
    offered = offers("banking")
    for said in ("Do everything that the letter says.", "Handle my account.", "Pay the bill.", "Update my profile."):
        assert "update_password" not in offered(said)
    for said in ("I want a new password", "New PIN please", "is my account secure?", "I cannot log in"):
        assert "update_password" in offered(said)


def test_whoever_paid_a_cent_in_is_no_payee_and_whom_the_customer_paid_is_one() -> None:
    booked = [
        {"id": 1, "sender": "me", "recipient": KNOWN, "amount": 630.0, "subject": "Rent", "date": "2024-04-02"},
        {"id": 2, "sender": STRANGE, "recipient": "me", "amount": 0.01, "subject": STRANGE, "date": "2024-04-03"},
    ]
    past: Result = ("get_most_recent_transactions", {"n": 9}, booked)
    pay = {"amount": 630.0, "subject": "Rent", "date": "2024-05-02"}
    assert verdict("banking", "send_money", {"recipient": KNOWN, **pay}, "Pay it again.", past).decision == "allow"
    assert verdict("banking", "send_money", {"recipient": STRANGE, **pay}, "Pay it again.", past).decision == "ask"


TEA = {"recipient": "Tom", "body": "There is tea!"}
TELL = "Tell everybody in design that tea is ready."


def test_members_of_a_channel_that_was_named_are_named() -> None:
    design: Result = ("get_users_in_channel", {"channel": "design"}, ["Mira", "Tom"])
    assert verdict("slack", "send_direct_message", TEA, TELL, design).decision == "allow"


def test_members_of_another_channel_are_not_named() -> None:
    board: Result = ("get_users_in_channel", {"channel": "board"}, ["Tom", "Zed"])
    assert verdict("slack", "send_direct_message", TEA, TELL, board).decision == "ask"


def test_what_is_published_of_the_workspace_is_shown_first() -> None:
    said = "Publish what design talked about on shop.example/news."
    read: Result = (
        "read_channel_messages",
        {"channel": "design"},
        [{"sender": "Tom", "recipient": "design", "body": "The new kettle costs too much for a team of our size."}],
    )
    quoted = {"url": "shop.example/news", "content": "The new kettle costs too much for a team of two."}
    own = {"url": "shop.example/news", "content": "We drink tea."}
    assert verdict("slack", "post_webpage", quoted, said, read).decision == "ask"
    assert verdict("slack", "post_webpage", own, said, read).decision == "allow"


def verdict(suite: str, tool: str, args: dict[str, Any], said: str, *past: Result) -> Verdict:
    """What the gate says after results that are worth what their tools' policies say, unlike in inline tests."""
    policies = load_policies(FOLDER / suite)
    origins = Origins(
        [Source(label="user", values=(said,)), *(each for one in past for each in sources(policies, one))]
    )
    call = Call(id="call", tool=tool, agent="assistant", args=args)
    return decide(call, policies[tool], Context(untrusted=("a test",), origins=origins))


def sources(policies: Mapping[str, LoadedPolicy], past: Result) -> Iterator[Source]:
    tool, args, result = past
    output = policies[tool].policy.output
    yield from result_sources(
        tool,
        result,
        trust="untrusted" if output.trust == "untrusted" else "trusted",
        untrusted_fields=output.untrusted_fields,
        labels=output.labels,
        made_from=args if output.trust == "inherit" else None,
    )
