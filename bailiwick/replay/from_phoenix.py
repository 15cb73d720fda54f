"""Recorded conversations from a running Phoenix, by its REST API, page after page.

``tracing.phoenix_http`` asks a server what spans it has of a few; here everything of some days is read, and a server
that does not give it is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from bailiwick.errors import InputRefused, TracingError
from bailiwick.replay.from_spans import conversations_of
from bailiwick.replay.recorded import Conversation
from bailiwick.replay.span_record import read_span
from bailiwick.tracing.phoenix_http import is_here

__all__ = ["read_phoenix"]

PAGE = 1000
"""Spans of one answer; Phoenix gives no more."""


def read_phoenix(
    endpoint: str, project: str, *, since: timedelta | None = None, page: int = PAGE
) -> list[Conversation]:
    """The conversations in ``project`` of the Phoenix at ``endpoint``. ``since`` None: all that it has.

    Raises TracingError where nothing answers or it is no Phoenix, and InputRefused for a project that it does not know.
    """
    try:
        spans = [read_span(data) for data in _spans(endpoint, project, since, page)]
    except httpx.HTTPError as error:
        raise TracingError(
            f"Phoenix does not answer at {endpoint} ({type(error).__name__})",
            fix="start it with bailiwick up, or name another with --phoenix URL, or a file with --from",
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TracingError(
            f"what answers at {endpoint} does not speak as Phoenix does: {error}",
            fix="correct the address; Phoenix 13 or later is needed",
        ) from None
    return conversations_of(spans)


def _spans(endpoint: str, project: str, since: timedelta | None, page: int) -> Iterator[dict[str, Any]]:
    key = os.environ.get("PHOENIX_API_KEY")
    with httpx.Client(
        base_url=endpoint.rstrip("/"),
        timeout=httpx.Timeout(60.0, connect=3.0),
        headers={"authorization": f"Bearer {key}"} if key else None,
        trust_env=not is_here(endpoint),  # no proxy between two processes of one machine
    ) as http:
        asked: dict[str, Any] = {"limit": page}
        if since is not None:
            asked["start_time"] = (datetime.now(UTC) - since).isoformat()
        while True:
            response = http.get(f"/v1/projects/{quote(project, safe='')}/spans", params=asked)
            if response.status_code == 404:
                raise InputRefused(
                    f"Phoenix at {endpoint} knows no project {project!r}", fix="name one with --project-name"
                )
            if response.status_code in (401, 403):
                raise InputRefused(f"Phoenix at {endpoint} wants a key", fix="set PHOENIX_API_KEY")
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
            yield from answer["data"]
            if not answer.get("next_cursor"):
                return
            asked["cursor"] = answer["next_cursor"]
