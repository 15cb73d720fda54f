"""The host believes nothing that comes out of a container, even if its runner were taken over."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailiwick.errors import SandboxFailed
from bailiwick.sandbox import Request, Result
from bailiwick.sandbox.conversation import ChannelEnded, ask, wait_until_ready
from bailiwick.sandbox.inside import wire

REQUEST = Request(file="/tool/shop.py", function="shop", time=0.2, output=1000)


class Saying:
    """A channel whose other side says exactly these bytes."""

    def __init__(self, data: bytes, *, ends: bool = True) -> None:
        self.data, self.ends, self.sent = data, ends, b""

    def send(self, data: bytes, deadline: float) -> None:
        self.sent += data

    def receive(self, size: int, deadline: float) -> bytes:
        if size > len(self.data):
            if self.ends:
                raise ChannelEnded("its output ended")
            raise TimeoutError
        data, self.data = self.data[:size], self.data[size:]
        return data


def frame(message: Any) -> bytes:
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def told(data: bytes, **more: Any) -> Result:
    return ask(Saying(data, **more), REQUEST, rlimits={})


def test_a_reply_is_a_result() -> None:
    result = told(frame({"cause": "ok", "value": {"a": 1}, "wall_ms": 3, "stdout": "x"}))
    assert (result.cause, result.value, result.wall_ms, result.stdout) == ("ok", {"a": 1}, 3.0, "x")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("an endless length", b"\xff\xff\xff\xff" + b"x" * 100),
        ("a frame too long", struct.pack(">I", 50_000_000) + b"x" * 100),
        ("no JSON", struct.pack(">I", 5) + b"hello"),
        ("a pickle", struct.pack(">I", 20) + b"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x02.."),
        ("no object", frame([1, 2])),
        ("too deep", frame({"cause": "ok", "value": json.loads("[" * 90 + "]" * 90)})),
        ("far too deep", struct.pack(">I", 200_000) + b"[" * 200_000),
        ("no cause", frame({"value": 1})),
        ("an unknown cause", frame({"cause": "fine"})),
        ("a cause of another type", frame({"cause": ["ok"]})),
        ("not a number", struct.pack(">I", 26) + b'{"cause":"ok","value":NaN}'),
        ("no text", struct.pack(">I", 4) + b"\xff\xfe\xfd\xfc"),
        ("nothing", b""),
        ("half a frame", frame({"cause": "ok"})[:-3]),
    ],
)
def test_what_is_no_reply_is_a_container_that_was_lost(name: str, data: bytes) -> None:
    assert told(data).cause == "killed", name


def test_silence_is_a_timeout() -> None:
    assert told(b"", ends=False).cause == "timeout"


def test_wrongly_typed_parts_of_a_reply_are_left_out() -> None:
    result = told(
        frame(
            {
                "cause": "error",
                "value": "must not show",
                "failure": {"type": 5, "message": "m" * 100_000, "traceback": None},
                "stdout": {"no": "text"},
                "stderr": "\ud800",
                "wall_ms": "long",
                "cpu_ms": -1,
                "peak_rss_bytes": True,
                "spans": [1, {"name": "no times"}, {"name": 3, "start_ns": -5, "end_ns": -9, "attributes": {"a": [1]}}],
            }
        )
    )
    assert result.value is None
    assert result.failure is not None
    assert (result.failure.type, len(result.failure.message)) == ("", 4100)
    assert (result.stdout, result.stderr, result.wall_ms, result.cpu_ms, result.peak_rss_bytes) == (
        "",
        "\\ud800",
        0,
        0,
        0,
    )
    assert result.spans == ({"name": "span", "start_ns": 0, "end_ns": 0, "attributes": {}, "error": ""},)


@given(st.binary(max_size=400))
def test_no_bytes_at_all_break_the_host(data: bytes) -> None:
    assert told(data).cause in ("killed", "ok", "error", "output", "oom", "signal", "timeout")


@pytest.mark.parametrize("data", [b"", frame({"ready": 2}), frame({}), b"\xff\xff\xff\xff"])
def test_a_runner_that_does_not_say_that_it_is_ready_serves_nothing(data: bytes) -> None:
    with pytest.raises(SandboxFailed):
        wait_until_ready(Saying(data), 0.1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
def test_what_is_encoded_is_decoded(message: dict[str, Any]) -> None:
    try:
        data = wire.encode(message)
    except ValueError:  # a lone surrogate cannot be sent
        assert "\\ud" in json.dumps(message)
        return
    assert wire.decode(data[4:]) == message


@given(st.integers(1, 200), st.integers(1, 100))
def test_depth_is_counted_outside_of_strings(depth: int, bound: int) -> None:
    nested = b'{"a[{":' * depth + b'"]]\\"[["' + b"}" * depth
    assert wire.depth_exceeds(nested, bound) == (depth > bound)


def test_depth_is_bounded_in_linear_time() -> None:
    begun = time.perf_counter()
    assert not wire.depth_exceeds(b"[" + b"{}," * 300_000 + b"{}]", 64)
    assert wire.depth_exceeds(b'"' + b"\\" * 500_001 + b"[" * 500_000, 64)
    assert time.perf_counter() - begun < 5
