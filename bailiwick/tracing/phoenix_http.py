"""The four things we ask of a Phoenix server, over HTTP. None of them raises: what came of it is the answer.

Phoenix's own client is not used for them: it is part of an extra that a program which only sends spans need not
install, and OpenTelemetry's exporter takes spans, not the bytes that lay in the spool, and retries while it holds the
batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, cast
from urllib.parse import quote, urlsplit

import httpx

__all__ = ["Answer", "PhoenixHttp", "is_here"]

Answer = Literal["done", "absent", "refused", "locked", "unreachable"]
"""Phoenix did it · knows no such span (yet) · will never take this · wants a key · does not answer, or not now."""

IDS = 100
"""Span ids in one query; a URL has its limits."""


def is_here(endpoint: str) -> bool:
    """Whether ``endpoint`` is on this machine."""
    host = urlsplit(endpoint).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


class PhoenixHttp:
    """A client for the server at ``endpoint``; for one thread. ``PHOENIX_API_KEY`` is sent where it is set."""

    def __init__(self, endpoint: str, *, timeout: float = 5.0) -> None:
        key = os.environ.get("PHOENIX_API_KEY")
        self._http = httpx.Client(
            base_url=endpoint.rstrip("/"),
            timeout=httpx.Timeout(timeout, connect=min(timeout, 2.0)),
            headers={"authorization": f"Bearer {key}"} if key else None,
            trust_env=not is_here(endpoint),  # A proxy has no business between two processes of one machine.
        )

    def version(self) -> str | None:
        """The server's version; an empty string when what answers is not Phoenix, None when nothing answers."""
        try:
            response = self._http.get("/arize_phoenix_version")
        except httpx.RemoteProtocolError:
            return ""
        except httpx.HTTPError:
            return None
        text = response.text.strip()
        return text if response.status_code == 200 and text[:1].isdigit() and len(text) < 40 else ""

    def send(self, body: bytes) -> Answer:
        """Hand over an encoded ``ExportTraceServiceRequest``. ``done`` means acknowledged, not yet stored."""
        return self._asked("POST", "/v1/traces", content=body, headers={"content-type": "application/x-protobuf"})[0]

    def stored(self, project: str, span_ids: Sequence[str]) -> frozenset[str] | None:
        """Which of these spans Phoenix gives back when asked; None when it does not answer."""
        found: set[str] = set()
        for start in range(0, len(span_ids), IDS):
            params = {"span_id": list(span_ids[start : start + IDS]), "limit": IDS}
            answer, data = self._asked("GET", f"/v1/projects/{quote(project, safe='')}/spans", params=params)
            if answer in ("unreachable", "locked"):
                return None
            if answer == "done":  # A project that is absent has no spans yet.
                found.update(str(span["context"]["span_id"]) for span in cast("list[dict[str, Any]]", data))
        return frozenset(found)

    def annotate(
        self, *, span_id: str, name: str, label: str, score: float, explanation: str, identifier: str
    ) -> Answer:
        """Put an annotation on a span, in place of one with the same name and identifier. ``absent``: no such span."""
        annotation = {
            "span_id": span_id,
            "name": name,
            "annotator_kind": "CODE",
            "identifier": identifier,
            "result": {"label": label, "score": score, "explanation": explanation},
        }
        # Not in the background of the server: it would then say yes to a span that it never gets.
        return self._asked("POST", "/v1/span_annotations", params={"sync": "true"}, json={"data": [annotation]})[0]

    def close(self) -> None:
        self._http.close()

    def _asked(self, method: str, path: str, **request: Any) -> tuple[Answer, Any]:
        try:
            response = self._http.request(method, path, **request)
        except httpx.HTTPError:
            return "unreachable", None
        match response.status_code:
            case 404:
                return "absent", None
            case 401 | 403:
                return "locked", None
            case 408 | 429:
                return "unreachable", None
            case code if code >= 500:
                return "unreachable", None
            case code if code >= 300:
                return "refused", None
            case _ if method == "GET":
                try:
                    return "done", response.json()["data"]
                except (ValueError, KeyError, TypeError):
                    return "unreachable", None  # Something else answers there.
            case _:
                return "done", None
