"""An OpenAI-compatible embedding server on this machine that allows so much, answers slowly, and chokes on a text."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


@dataclass
class EmbeddingServer:
    per_second: float = 0.0
    """Requests it allows. 0: any number."""
    burst: float = 5.0
    retry_after: str = "1"
    most_texts: int = 1000
    """In one request; more is a 413."""
    poison: str = ""
    """A text with this in it is answered with ``poison_status``; 0: the connection is cut."""
    poison_status: int = 400
    seconds: float = 0.0
    """For one answer."""
    refuse_every: int = 0
    """One request in so many is answered 429. 0: none."""
    asked: int = 0
    failing: int = 0
    """Answers of 500 to give first."""
    down: bool = False
    url: str = ""
    embedded: Counter[str] = field(default_factory=Counter)
    """How often each text was answered with a vector."""
    statuses: Counter[int] = field(default_factory=Counter)
    answered_at: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    level: float = -1.0
    at: float = 0.0

    def allows(self) -> bool:
        """A token bucket, and a 429 now and then."""
        with self.lock:
            self.asked += 1
            if self.refuse_every and self.asked % self.refuse_every == 0:
                return False
        if not self.per_second:
            return True
        with self.lock:
            now = time.monotonic()
            if self.level < 0:
                self.level, self.at = self.burst, now
            self.level = min(self.burst, self.level + (now - self.at) * self.per_second)
            self.at = now
            if self.level < 1:
                return False
            self.level -= 1
            return True


def vector(text: str) -> list[float]:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
    return [float(value) for value in rng.normal(size=32)]


@contextmanager
def embedding_server(**settings: object) -> Iterator[EmbeddingServer]:
    state = EmbeddingServer(**settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
            if state.down:
                self.answer(503, {})
            elif not state.allows():
                self.answer(429, {}, {"retry-after": state.retry_after})
            elif len(texts) > state.most_texts:
                self.answer(413, {})
            elif state.poison and any(state.poison in text for text in texts):
                if state.poison_status:
                    self.answer(state.poison_status, {"error": {"message": "cannot be embedded"}})
                else:
                    self.close_connection = True
            elif state.failing > 0:
                state.failing -= 1
                self.answer(500, {})
            else:
                time.sleep(state.seconds)
                with state.lock:
                    state.embedded.update(texts)
                    state.answered_at.append(time.monotonic())
                data = [{"object": "embedding", "index": n, "embedding": vector(t)} for n, t in enumerate(texts)]
                usage = {"prompt_tokens": 1, "total_tokens": 1}
                self.answer(200, {"object": "list", "data": data, "model": "served", "usage": usage})

        def answer(self, status: int, said: object, headers: dict[str, str] | None = None) -> None:
            with state.lock:
                state.statuses[status] += 1
            content = json.dumps(said).encode()
            self.send_response(status)
            base = {"content-type": "application/json", "content-length": str(len(content))}
            for name, value in {**base, **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that was killed is no error of ours."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
