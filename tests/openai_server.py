"""A server of our own that speaks OpenAI's chat completions over real HTTP, and answers as a test wrote down."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(kw_only=True)
class Reply:
    """One answer. ``hang``: seconds before anything is said; ``stall``: seconds of silence after the first word."""

    status: int = 200
    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    """Tool calls as ``(name, arguments as JSON text)``."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    hang: float = 0.0
    stall: float = 0.0


@dataclass(kw_only=True)
class OpenAIServer:
    """What was asked, and what is still to be answered; the last reply is given again when they run out."""

    replies: list[Reply]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])


@contextmanager
def openai_server(*replies: Reply) -> Iterator[OpenAIServer]:
    """Serve on a free port of this machine for as long as the context lasts."""
    served = OpenAIServer(replies=list(replies))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(served: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            served.asked.append(body)
            served.keys.append(self.headers.get("authorization", ""))
            served.times.append(time.monotonic())
            reply = served.replies.pop(0) if len(served.replies) > 1 else served.replies[0]
            time.sleep(reply.hang)
            try:
                if reply.status != 200:
                    self._send("application/json", _json({"error": {"message": f"no ({reply.status})"}}), reply)
                elif body.get("stream"):
                    self._send("text/event-stream", _events(reply), reply)
                else:
                    self._send("application/json", _json(_completion(reply)), reply)
            except OSError:
                pass  # the client has gone

        def _send(self, kind: str, data: bytes, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if reply.stall:
                said = data.index(b"\n\n", data.index(b"\n\n") + 2) + 2
                self.wfile.write(data[:said])
                self.wfile.flush()
                time.sleep(reply.stall)
                data = data[said:]
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


def _message(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {"index": n, "id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for n, (name, arguments) in enumerate(reply.calls)
        ]
    return message


def _completion(reply: Reply) -> dict[str, Any]:
    finish = "tool_calls" if reply.calls else "stop"
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": "served",
        "choices": [{"index": 0, "message": _message(reply), "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }  # fmt: skip


def _events(reply: Reply) -> bytes:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": "served"}
    pieces: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": word} for word in re.findall(r"\S+\s*", reply.text)]
    pieces += [{"tool_calls": _message(reply)["tool_calls"]}] if reply.calls else []
    finish = "tool_calls" if reply.calls else "stop"
    chunks = [{**base, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    chunks.append({**base, "choices": [], "usage": usage})
    return b"".join(b"data: " + _json(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
