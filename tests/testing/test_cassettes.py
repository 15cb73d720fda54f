"""A model recorded over real HTTP and played back without one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import BaseModel

from bailiwick.errors import CassetteMiss, ConfigError
from bailiwick.models import resolve_model
from bailiwick.testing import CassetteModel, FunctionModel

MODES: tuple[Literal["record"], Literal["replay"]] = ("record", "replay")


def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


def sunshine(city: str) -> str:
    """The hours of sunshine in a city."""
    return f"none in {city}"


def asked(model: Any, text: str = "What is it like in Cork?", tools: Any = (weather,)) -> list[str]:
    agent: Any = create_agent(model, list(tools), system_prompt="Be brief.")
    return [message.text for message in agent.invoke({"messages": [("user", text)]})["messages"]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cassettes/weather.yaml"


@pytest.fixture
def recorded(serve: Any, reply: Any, file: Path) -> Path:
    """A call and an answer, over HTTP."""
    served = serve(reply(calls=(("weather", '{"city": "Cork"}'),)), reply(text="Rain, as ever."))
    model = CassetteModel(resolve_model("openai:served"), file=file, mode="record")
    assert asked(model)[-1] == "Rain, as ever."
    model.assert_complete()
    assert len(served.asked) == 2
    return file


def test_what_was_recorded_is_played_without_a_model(recorded: Path) -> None:
    model = CassetteModel(file=recorded)
    assert asked(model) == ["What is it like in Cork?", "", "rain in Cork", "Rain, as ever."]
    model.assert_complete()
    assert model.model_name == "served"


def test_the_file_reads_like_what_was_said(recorded: Path) -> None:
    text = recorded.read_text()
    assert text.startswith("version: 1\nmodel: served\n")
    assert "content: Rain, as ever." in text
    assert "city: Cork" in text
    assert "answers: call 1" in text
    assert "input_tokens: 11" in text


async def test_it_streams_as_it_was_recorded(serve: Any, reply: Any, file: Path) -> None:
    serve(reply(text="Rain, as ever."))
    heard: list[list[str]] = []
    for mode in MODES:
        model = CassetteModel(resolve_model("openai:served"), file=file, mode=mode)
        heard.append([chunk.text async for chunk in model.astream("Weather?") if chunk.text])
        model.assert_complete()
    assert heard == [["Rain, ", "as ", "ever."]] * 2
    assert CassetteModel(file=file).invoke("Weather?").text == "Rain, as ever."


async def test_tokens_and_calls_of_a_recorded_stream_come_through_a_graph(serve: Any, reply: Any, file: Path) -> None:
    serve(reply(calls=(("weather", '{"city": "Cork"}'),)), reply(text="Rain, as ever."))
    for mode in MODES:
        model = CassetteModel(resolve_model("openai:served"), file=file, mode=mode)
        agent: Any = create_agent(model, [weather])
        given = {"messages": [HumanMessage("Weather?")]}
        parts = [part async for part, _ in agent.astream(given, stream_mode="messages")]
        words = [part.text for part in parts if isinstance(part, AIMessageChunk) and part.text]
        assert words == ["Rain, ", "as ", "ever."]


def test_an_answer_recorded_whole_is_streamed_in_one_piece(recorded: Path) -> None:
    model = CassetteModel(file=recorded).bind_tools([weather])
    request = [("system", "Be brief."), ("user", "What is it like in Cork?")]
    whole: Any = None
    for chunk in model.stream(request):
        whole = chunk if whole is None else whole + chunk
    assert [call["args"] for call in whole.tool_calls] == [{"city": "Cork"}]


def test_a_request_that_was_not_recorded_fails_and_shows_the_nearest(recorded: Path) -> None:
    with pytest.raises(CassetteMiss) as missed:
        asked(CassetteModel(file=recorded), "What is it like in Rome?")
    text = str(missed.value)
    assert "the nearest is number 1 of 2" in text
    assert "-  content: What is it like in Cork?" in text
    assert "+  content: What is it like in Rome?" in text
    assert "--record-cassettes" in text
    with pytest.raises(CassetteMiss, match=r"\+  sunshine"):
        asked(CassetteModel(file=recorded), tools=(weather, sunshine))
    with pytest.raises(CassetteMiss, match="settings"):
        CassetteModel(file=recorded).bind(temperature=1).invoke("What is it like in Cork?")


def test_the_same_request_is_played_in_order_and_no_oftener_than_recorded(serve: Any, reply: Any, file: Path) -> None:
    serve(reply(text="heads"), reply(text="tails"))
    real = CassetteModel(resolve_model("openai:served"), file=file, mode="record")
    assert [real.invoke("Toss.").text for _ in range(2)] == ["heads", "tails"]
    played = CassetteModel(file=file)
    assert [played.invoke("Toss.").text for _ in range(2)] == ["heads", "tails"]
    with pytest.raises(CassetteMiss, match="recorded 2 times and is made once more"):
        played.invoke("Toss.")


def test_what_was_recorded_and_never_asked_for_is_told(recorded: Path) -> None:
    model = CassetteModel(file=recorded)
    with pytest.raises(AssertionError, match="never asked for: number 1, 2"):
        model.assert_complete()


async def test_secrets_do_not_reach_the_file_and_the_request_still_matches(serve: Any, reply: Any, file: Path) -> None:
    served = serve(reply(text="Written to mara@example.com, key sk-abcdefghijklmnop1234."))
    question = "Write to mara@example.com with sk-abcdefghijklmnop1234 and 4111 1111 1111 1111"
    real = CassetteModel(resolve_model("openai:served"), file=file, mode="record")
    assert "".join([chunk.text async for chunk in real.astream(question)]).startswith("Written to mara@")
    assert "mara@example.com" in str(served.asked), "the model sees what was asked"
    text = file.read_text()
    for secret in ("mara@", "sk-abc", "4111"):
        assert secret not in text
    assert CassetteModel(file=file).invoke(question).text.startswith("Written to [e-mail]")


def test_once_records_where_there_is_no_file_and_plays_where_there_is(
    serve: Any, reply: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(reply(text="heads"))
    monkeypatch.setenv("BAILIWICK_CASSETTES", "once")
    for _ in range(2):
        assert CassetteModel(resolve_model("openai:served"), file=file).invoke("Toss.").text == "heads"
    assert len(served.asked) == 1


def test_structured_output_is_played_too(serve: Any, reply: Any, file: Path) -> None:
    class Place(BaseModel):
        """A place."""

        city: str

    serve(reply(calls=(("Place", '{"city": "Cork"}'),)))
    for mode in MODES:
        model = CassetteModel(resolve_model("openai:served"), file=file, mode=mode)
        assert model.with_structured_output(Place).invoke("Where?") == Place(city="Cork")


async def test_requests_at_once_are_all_recorded(file: Path) -> None:
    def speak(messages: Any, tools: Any) -> Any:
        from langchain_core.messages import AIMessage

        return AIMessage(messages[-1].text.upper())

    real = CassetteModel(FunctionModel(function=speak), file=file, mode="record")
    await asyncio.gather(*(real.ainvoke(f"word {n}") for n in range(20)))
    played = CassetteModel(file=file)
    said = await asyncio.gather(*(played.ainvoke(f"word {n}") for n in reversed(range(20))))
    assert [message.text for message in said] == [f"WORD {n}" for n in reversed(range(20))]
    assert [each.name for each in file.parent.iterdir()] == ["weather.yaml"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("requests: [", "it is no YAML"),
        ("version: 2\nmodel: x\nrequests: []\n", "version"),
        ("version: 1\nmodel: x\nrequests: []\nmore: 1\n", "more"),
        ("version: 1\nmodel: x\nrequests: [{request: {}, reply: {}}]\n", "requests.0.reply"),
        ("", "valid dictionary"),
    ],
)
def test_a_file_that_is_wrong_is_one_clear_error(file: Path, text: str, says: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as wrong:
        CassetteModel(file=file)
    assert str(file) in str(wrong.value)
    assert wrong.value.fix


def test_a_missing_file_and_a_recording_without_a_model_say_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no such cassette"):
        CassetteModel(file=file)
    with pytest.raises(ConfigError, match="no model to record"):
        CassetteModel(file=file, mode="record")
    monkeypatch.setenv("BAILIWICK_CASSETTES", "always")
    with pytest.raises(ConfigError, match="BAILIWICK_CASSETTES"):
        CassetteModel(file=file)
