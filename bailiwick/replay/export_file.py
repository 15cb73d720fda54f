"""Recorded conversations from a file: spans as Phoenix gives them, or what ``bailiwick ask --json`` printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from bailiwick.errors import InputRefused
from bailiwick.replay.from_spans import conversations_of
from bailiwick.replay.from_turn import conversations_of_turns, is_turn
from bailiwick.replay.recorded import Conversation
from bailiwick.replay.span_record import SpanRecord, read_span

__all__ = ["read_export"]

_FORMS = (
    'give what GET /v1/projects/NAME/spans of Phoenix answers ({"data": [...]}), a list of spans, one span a line, '
    "or what bailiwick ask --json prints"
)


def read_export(file: Path) -> list[Conversation]:
    """The conversations in ``file``, a JSON document or one JSON document a line. Spans and turns may stand together.

    Raises InputRefused, with file and line, for what is neither; and where there is not one call in it.
    """
    spans: list[SpanRecord] = []
    turns: list[Mapping[str, Any]] = []
    for place, item in _items(file):
        try:
            if is_turn(item):
                conversations_of_turns([item])
                turns.append(item)
            else:
                spans.append(read_span(item))
        except (ValueError, RecursionError) as error:
            raise InputRefused(f"{place}: this is neither a span nor a turn: {error}", fix=_FORMS) from None
    found = [*conversations_of(spans), *conversations_of_turns(turns)]
    if not any(each.calls for each in found):
        raise InputRefused(f"{file}: no tool call is recorded in it", fix=_FORMS)
    return found


def _items(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each span or turn, and where it stands."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputRefused(f"{file}: it cannot be read: {error.strerror}", fix="name a file that can be read") from None
    except UnicodeDecodeError as error:
        raise InputRefused(f"{file}: it is not UTF-8 text (byte {error.start})", fix="save it as UTF-8") from None
    try:
        yield from _spread(str(file), json.loads(text))
        return
    except RecursionError:
        raise InputRefused(f"{file}: it is nested too deeply", fix=_FORMS) from None
    except ValueError as error:
        whole = error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for at, (number, line) in enumerate(lines):
        place = f"{file}:{number}"
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            told: Exception = error
            # What fails in its very first line was no document a line at all: the whole says where it is wrong.
            if at == 0 and isinstance(whole, json.JSONDecodeError):
                place, told = f"{file}:{whole.lineno}", whole
            raise InputRefused(f"{place}: this is no JSON: {told}", fix=_FORMS) from None
        yield from _spread(place, document)


def _spread(place: str, document: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(document, Mapping):
        known = cast("Mapping[str, Any]", document)
        if isinstance(known.get("data"), list) and "context" not in known:
            yield from _spread(place, known["data"])
        else:
            yield place, known
    elif isinstance(document, list):
        for number, item in enumerate(cast("list[object]", document)):
            if not isinstance(item, Mapping):
                raise InputRefused(f"{place}: item {number} is no span", fix=_FORMS)
            yield f"{place} (item {number})", cast("Mapping[str, Any]", item)
    else:
        raise InputRefused(f"{place}: this is neither a span nor a turn", fix=_FORMS)
