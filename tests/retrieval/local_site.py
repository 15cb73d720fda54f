"""A web site on this machine: pages by their path, what was asked for, and how it answers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass
class Site:
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Media type and content."""
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    """Status and headers to answer with first, before the page is given."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Paths, and the status they were answered with."""
    address: str = ""

    def put(self, path: str, content: str | bytes, media_type: str = "text/html") -> None:
        self.pages[path] = (media_type, content.encode() if isinstance(content, str) else content)

    def sitemap(self, path: str, *paths: str) -> None:
        listed = "".join(f"<url><loc>{each if '://' in each else self.address + each}</loc></url>" for each in paths)
        self.put(path, f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</urlset>', "text/xml")


@contextmanager
def local_site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        served: ClassVar[Site] = site

        def do_GET(self) -> None:
            if waiting := site.answers.get(self.path):
                status, headers = waiting.pop(0)
                self.answer(status, b"", headers)
                return
            if self.path not in site.pages:
                self.answer(404, b"", {})
                return
            media_type, content = site.pages[self.path]
            tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            if self.headers.get("if-none-match") == tag:
                self.answer(304, b"", {"etag": tag})
            else:
                self.answer(200, content, {"content-type": media_type, "etag": tag})

        def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            site.asked.append((self.path, status))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
