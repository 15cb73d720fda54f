"""Getting things from web servers: politely, within limits, and again when it is worth it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from bailiwick.documents import MAX_BYTES
from bailiwick.errors import DocumentError
from bailiwick.resilience import asked_to_wait, may_pass

__all__ = ["Fetched", "Web"]

ATTEMPTS = 5
LONGEST_WAIT = 120.0
SECONDS = 30.0
"""For one answer, whole."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """An answer. ``data`` None: it has not changed."""

    url: str
    """Where it came from in the end."""
    data: bytes | None
    media_type: str
    validator: str


class Web:
    """A client that sends at most ``per_second`` requests to any one host. A context."""

    def __init__(self, *, per_second: float = 4.0) -> None:
        self._gap = 1.0 / per_second
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()
        self._client = httpx.Client(
            timeout=httpx.Timeout(SECONDS, connect=10.0),
            follow_redirects=True,
            max_redirects=5,
            headers={"user-agent": "bailiwick-ingest", "accept": "text/html, application/pdf, text/*, */*;q=0.5"},
        )

    def get(self, url: str, validator: str = "") -> Fetched:
        """The document at ``url``, unless it is still the one with ``validator``. Raises DocumentError.

        What may pass (429, 5xx, a broken connection) is tried five times, and a server's Retry-After is kept to.
        """
        attempts = Retrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            reraise=True,
        )
        try:
            return attempts(self._once, url, validator)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise DocumentError(f"the server answers {status} {error.response.reason_phrase}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DocumentError(f"it cannot be fetched: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _once(self, url: str, validator: str) -> Fetched:
        self._wait_for_turn(httpx.URL(url).host)
        headers: dict[str, str] = {}
        kind, _, value = validator.partition(":")
        if value:
            headers["if-none-match" if kind == "etag" else "if-modified-since"] = value
        until = time.monotonic() + SECONDS
        with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 304:
                return Fetched(url=str(answer.url), data=None, media_type="", validator=validator)
            answer.raise_for_status()
            data = bytearray()
            for piece in answer.iter_bytes(64 * 1024):  # unpacked; a small answer can be a large document
                data += piece
                if len(data) > MAX_BYTES:
                    raise DocumentError(f"it is larger than {MAX_BYTES // 2**20} MiB", fix="leave it out")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout(f"not whole after {SECONDS:g} s", request=answer.request)
            media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            state = ""
            if tag := answer.headers.get("etag"):
                state = f"etag:{tag}"
            elif modified := answer.headers.get("last-modified"):
                state = f"modified:{modified}"
            return Fetched(url=str(answer.url), data=bytes(data), media_type=media_type, validator=state)

    def _wait_for_turn(self, host: str) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get(host, 0.0))
            self._next[host] = turn + self._gap
        time.sleep(turn - now)


_backoff = wait_exponential_jitter(initial=0.5, max=20.0)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = asked_to_wait(error) if error else 0.0
    return min(max(asked, _backoff(state)), LONGEST_WAIT)
