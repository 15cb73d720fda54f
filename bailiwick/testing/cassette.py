"""A cassette: requests to a model and what it answered, in a YAML file that a reviewer can read."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bailiwick.errors import CassetteMiss, ConfigError
from bailiwick.tracing import redacted_text

__all__ = ["Cassette", "Recorded", "canonical_request"]

_ANSWER = ("content", "tool_calls", "invalid_tool_calls", "usage_metadata", "response_metadata", "additional_kwargs")
_PIECE = ("content", "tool_call_chunks", "usage_metadata", "response_metadata", "additional_kwargs")


class Recorded(BaseModel):
    """One request and its answer: a whole message, or the pieces in which it came."""

    model_config = ConfigDict(extra="forbid")

    request: dict[str, Any]
    answer: dict[str, Any] | None = None
    """None: it came in pieces."""
    pieces: list[str | dict[str, Any]] = Field(default_factory=list[str | dict[str, Any]])
    """A text is a piece that is nothing else. Empty: it came as a whole."""

    def message(self) -> AIMessage:
        """The answer as a whole."""
        if self.answer is not None:
            return AIMessage(**self.answer)
        whole, *others = self.chunks()
        for chunk in others:
            whole += chunk
        return AIMessage(
            content=whole.content,
            tool_calls=whole.tool_calls,
            invalid_tool_calls=whole.invalid_tool_calls,
            usage_metadata=whole.usage_metadata,
            response_metadata=whole.response_metadata,
            additional_kwargs=whole.additional_kwargs,
        )

    def chunks(self) -> list[AIMessageChunk]:
        """The answer in its pieces; in one, where it came as a whole."""
        if self.answer is not None:
            calls = [
                tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index)
                for index, call in enumerate(self.answer.get("tool_calls", []))
            ]
            rest = {key: value for key, value in self.answer.items() if key in _PIECE}
            return [AIMessageChunk(**rest, tool_call_chunks=calls, chunk_position="last")]
        chunks = [
            AIMessageChunk(content=each) if isinstance(each, str) else AIMessageChunk(**each) for each in self.pieces
        ]
        return [*chunks, AIMessageChunk(content="", chunk_position="last")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    model: str
    requests: list[Recorded]


class Cassette:
    """The recordings of one file. ``file`` need not be there when it is to be recorded."""

    def __init__(self, file: Path, *, model: str = "") -> None:
        self.file = file
        self.model = model
        self.recorded: list[Recorded] = []
        self._played: set[int] = set()

    @classmethod
    def load(cls, file: Path) -> Cassette:
        """Raises ConfigError naming the file and the key for one that is missing or wrong."""
        fix = 'record it: CassetteModel(model, file=..., mode="record") with a real model, or --record-cassettes'
        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8"))
            kept = _File.model_validate(data)
        except FileNotFoundError:
            raise ConfigError("there is no such cassette", file=file, fix=fix) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"it is no YAML: {' '.join(str(error).split())}", file=file, fix=fix) from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ConfigError(first["msg"], file=file, key=key or None, fix=f"correct it, or {fix}") from None
        cassette = cls(file, model=kept.model)
        cassette.recorded = kept.requests
        return cassette

    def play(self, request: Mapping[str, Any]) -> Recorded:
        """The first recording of ``request`` that was not played yet. Raises CassetteMiss with the nearest one."""
        same = [number for number, each in enumerate(self.recorded) if each.request == request]
        for number in same:
            if number not in self._played:
                self._played.add(number)
                return self.recorded[number]
        if same:
            raise CassetteMiss(
                f"{self.file}: this request was recorded {len(same)} times and is made once more",
                fix="look for a loop in the graph, or record it again",
            )
        raise CassetteMiss(
            f"{self.file}: no request like this was recorded; {self._nearest(request)}",
            fix="if it is meant to be asked now, record it again with --record-cassettes or BAILIWICK_CASSETTES=record",
        )

    def add(
        self, request: Mapping[str, Any], *, answer: AIMessage | None, pieces: Sequence[AIMessageChunk] = ()
    ) -> None:
        """Keep one exchange, redacted, and write the file; a reader never sees half of it."""
        whole = None if answer is None else _told(answer, _ANSWER)
        self.recorded.append(Recorded(request=dict(request), answer=whole, pieces=_told_pieces(pieces)))
        self._write()

    def unplayed(self) -> list[int]:
        """Numbers, from 0, of what was recorded and never asked for."""
        return [number for number in range(len(self.recorded)) if number not in self._played]

    def _nearest(self, request: Mapping[str, Any]) -> str:
        if not self.recorded:
            return "the cassette is empty"
        asked = _lines(request)
        texts = [_lines(each.request) for each in self.recorded]
        ratios = [difflib.SequenceMatcher(None, asked, text).ratio() for text in texts]
        number = ratios.index(max(ratios))
        shown = list(difflib.unified_diff(texts[number], asked, "recorded", "asked now", lineterm="", n=1))
        more = f"\n… and {len(shown) - 40} more lines" if len(shown) > 40 else ""
        return f"the nearest is number {number + 1} of {len(self.recorded)}:\n" + "\n".join(shown[:40]) + more

    def _write(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        requests = [each.model_dump(exclude_defaults=True) for each in self.recorded]
        text = _dump({"version": 1, "model": self.model, "requests": requests})
        descriptor, half = tempfile.mkstemp(prefix=".half-", dir=self.file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(text)
            Path(half).replace(self.file)
        finally:
            Path(half).unlink(missing_ok=True)


def canonical_request(
    messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What makes two requests the same: what is said and offered, and how; not the ids that every run makes anew."""
    ids: dict[str, str] = {}

    def number(id: str | None) -> str:
        return ids.setdefault(str(id), f"call {len(ids) + 1}")

    told: list[dict[str, Any]] = []
    for message in messages:
        each: dict[str, Any] = {"role": message.type, "content": message.content}
        if isinstance(message, AIMessage) and message.tool_calls:
            calls = message.tool_calls
            each["calls"] = [{"id": number(call["id"]), "name": call["name"], "args": call["args"]} for call in calls]
        if message.type == "tool":
            each["answers"] = number(getattr(message, "tool_call_id", None))
        told.append(each)
    request: dict[str, Any] = {"messages": told}
    if tools:
        request["tools"] = {str(tool["name"]): _digest(tool) for tool in tools}
    if settings:
        request["settings"] = dict(settings)
    return _redacted(json.loads(json.dumps(request, default=str)))


def _digest(tool: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tool, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _told(message: AIMessage, names: Sequence[str]) -> dict[str, Any]:
    given = {name: value for name in names if (value := getattr(message, name, None)) or name == "content"}
    return _redacted(json.loads(json.dumps(given, default=str)))


def _told_pieces(pieces: Sequence[AIMessageChunk]) -> list[str | dict[str, Any]]:
    """As they came, but for texts: those are redacted as one, since a secret may come in two pieces."""
    told = [_told(piece, _PIECE) for piece in pieces]
    texts = [each["content"] for each in told if isinstance(each["content"], str)]
    if len(texts) == len(told) and redacted_text("".join(piece.text for piece in pieces)) != "".join(texts):
        whole = redacted_text("".join(piece.text for piece in pieces))
        told = [{**each, "content": whole if at == 0 else ""} for at, each in enumerate(told)]
    kept = [each["content"] if set(each) == {"content"} else each for each in told]
    return [each for each in kept if each != ""]


def _redacted(value: Any) -> Any:
    """JSON, its texts redacted."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, list):
        return [_redacted(each) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _redacted(each) for key, each in cast("dict[str, Any]", value).items()}
    return value


def _lines(request: Mapping[str, Any]) -> list[str]:
    return _dump(request).splitlines()


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, as a person would write them."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    block = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=block)  # pyright: ignore[reportUnknownMemberType]  untyped


_Dumper.add_representer(str, _text)


def _dump(data: Any) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
