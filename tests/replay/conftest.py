"""Recorded conversations made in a test: spans in our own words, in the form in which Phoenix's REST API gives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bailiwick.policy import LoadedPolicy, load_policies
from bailiwick.replay.export_file import read_export
from bailiwick.replay.recorded import Conversation
from bailiwick.tracing import conventions as words


class Recording:
    """Turns and calls one after the other, a second apart. ``test_real_phoenix.py`` holds it to what Phoenix gives."""

    def __init__(self, folder: Path) -> None:
        self.spans: list[dict[str, Any]] = []
        self.now = datetime(2026, 11, 1, 12, tzinfo=UTC)
        self._file = folder / "spans.json"
        self._trace = ""
        self._turn = ""
        self._system = ""
        self._asked = 0

    def turn(
        self, thread: str, says: str = "", *, user: str | None = None, agent: str = "support", told: bool = True
    ) -> Recording:
        """A question; without words, a turn that was resumed. ``told``: whether the model was told who is speaking."""
        self._trace = f"{len(self.spans):032x}"
        self._turn = self.add(f"turn {agent}", "AGENT", words.turn(agent, thread, user, says))
        self._system = "You are the support desk." + (f"\n\nYou are speaking with {user}." if user and told else "")
        if says:
            self.think(says)
        return self

    def think(self, says: str, *ids: str) -> None:
        """A request to the model, and the calls that it asks for side by side."""
        messages = [{"role": "system", "content": self._system}, {"role": "user", "content": says}]
        asked = [{"id": each, "name": "x", "args": {}} for each in ids]
        answer = {"role": "assistant", "content": "", "tool_calls": asked}
        attributes = words.model_request("rules", messages) | words.model_response(answer, {})
        self.add("chat rules", "LLM", attributes, parent=self._turn)

    def passage(self, text: str, *, relevant: bool = True) -> None:
        attributes = words.retrieval([{"id": "p", "content": text}], "hybrid")
        relevance = {"bailiwick.retrieval.relevant": relevant}
        self.add("retrieve knowledge", "RETRIEVER", attributes | relevance, parent=self._turn)

    def call(
        self,
        tool: str,
        args: Mapping[str, Any],
        result: Any = "done",
        *,
        decision: str = "allow",
        rule: str = "own",
        key: str = "",
        outcome: str = "ok",
        agent: str = "support",
        id: str = "",
        alone: bool = True,
        **more: Any,
    ) -> str:
        """A call and its verdict. ``outcome`` empty: it waits. ``alone``: nothing beside it."""
        self._asked += 1
        name = id or f"{tool}-{self._asked}"
        if alone and not id:
            self.think("and then?", name)
        attributes = words.tool_call(tool, name, agent, args)
        if outcome:
            text = result if isinstance(result, str) else json.dumps(result)
            attributes |= words.tool_outcome(text, outcome, decision)
        attributes |= {f"bailiwick.{name}": value for name, value in more.items() if name == "trust"}
        span = self.add(f"execute_tool {tool}", "TOOL", attributes, parent=self._turn)
        if decision != "none":
            verdict = words.policy_decision(decision, rule, "because", f"policies/{tool}.yaml:8", "sha256:1", key)
            if "origins" in more:
                verdict["bailiwick.policy.origins"] = json.dumps(more["origins"])
            self.add(f"policy {rule}", "GUARDRAIL", verdict, parent=span)
        return name

    def add(self, name: str, kind: str, attributes: Mapping[str, Any], *, parent: str = "") -> str:
        self.now += timedelta(seconds=1)
        span = f"{len(self.spans) + 1:016x}"
        self.spans.append(
            {
                "id": f"U3Bhbjo{len(self.spans)}",
                "name": name,
                "context": {"trace_id": self._trace, "span_id": span},
                "span_kind": kind,
                "parent_id": parent or None,
                "start_time": self.now.isoformat(),
                "end_time": (self.now + timedelta(milliseconds=400)).isoformat(),
                "status_code": "OK",
                "status_message": "",
                "attributes": {name: value for name, value in attributes.items() if value is not None},
                "events": [],
            }
        )
        return span

    def file(self, name: str = "") -> Path:
        file = self._file if not name else self._file.with_name(name)
        # Phoenix gives the newest first.
        file.write_text(json.dumps({"data": self.spans[::-1], "next_cursor": None}))
        return file

    def conversations(self) -> list[Conversation]:
        return read_export(self.file())


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


@pytest.fixture
def policies(tmp_path: Path) -> Callable[..., dict[str, LoadedPolicy]]:
    """Policies from their texts, by their tools' names; what every policy begins with is put before them."""

    def made(folder: str = "policies", **texts: str) -> dict[str, LoadedPolicy]:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        for tool, text in texts.items():
            (place / f"{tool}.yaml").write_text(f"version: 1\ntool: {tool}\n{text}")
        return load_policies(place)

    return made
