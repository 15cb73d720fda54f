"""A real Phoenix, started once for every test that reads spans back."""

from __future__ import annotations

import socket
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from bailiwick.tracing import PhoenixServer


class ReadBack:
    """A running Phoenix and its own client, to see what it has stored."""

    def __init__(self, server: PhoenixServer, seconds_to_ready: float = 0.0) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Its own libraries warn of each other.
            from phoenix.client import Client

        self.server = server
        self.endpoint = server.endpoint
        self.seconds_to_ready = seconds_to_ready
        self.client = Client(base_url=server.endpoint)

    def spans(self, project: str, trace_id: str, *, count: int, timeout: float = 20.0) -> dict[str, dict[str, Any]]:
        """The spans of a trace by their names, once there are ``count`` of them."""
        until = time.monotonic() + timeout
        found: list[Any] = []
        while len(found) < count and time.monotonic() < until:
            found = self.all_spans(project, trace_ids=[trace_id])
            time.sleep(0.1)
        assert len(found) == count, [span["name"] for span in found]
        return {span["name"]: dict(span) for span in found}

    def all_spans(self, project: str, **which: Any) -> list[Any]:
        """What is stored now; nothing for a project that Phoenix does not know yet."""
        import httpx

        try:
            return list(self.client.spans.get_spans(project_identifier=project, limit=5000, **which))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 404:
                raise
            return []

    def annotations(self, project: str, span_id: str) -> list[Any]:
        return list(self.client.spans.get_span_annotations(project_identifier=project, span_ids=[span_id]))


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadBack]:
    began = time.monotonic()
    endpoint = f"http://127.0.0.1:{a_free_port()}"
    with PhoenixServer.start(tmp_path_factory.mktemp("phoenix"), endpoint=endpoint) as server:
        server.wait_ready(timeout=180)
        yield ReadBack(server, time.monotonic() - began)


@pytest.fixture
def free_port() -> int:
    return a_free_port()


@pytest.fixture
def read_back() -> type[ReadBack]:
    """For a test that starts and kills its own server."""
    return ReadBack
