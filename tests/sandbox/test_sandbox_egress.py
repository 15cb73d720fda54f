"""The way out of a container: by name and port, through its own socket, whatever the client knows of proxies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sandbox.conftest import ToolProject

from bailiwick.sandbox import Sandbox

TOOL = """
import json, os, socket, urllib.error, urllib.request

@tool
def get(url: str, proxied: bool) -> dict:
    "Read a page."
    handler = urllib.request.ProxyHandler() if proxied else urllib.request.ProxyHandler({})
    if not proxied:
        for name in list(os.environ):
            if "proxy" in name.lower():
                del os.environ[name]
    try:
        with urllib.request.build_opener(handler).open(url, timeout=5) as page:
            return {"status": page.status, "text": page.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "text": error.read().decode()}
    except OSError as error:
        return {"status": 0, "text": str(error)}

@tool
def through_proxy(host: str, port: int, path: str = "/") -> str:
    "Read a page by the proxy, whatever NO_PROXY says."
    proxy = os.environ["HTTP_PROXY"].removeprefix("http://").rstrip("/")
    name, _, number = proxy.rpartition(":")
    with socket.create_connection((name, int(number)), 5) as way:
        lines = [f"GET http://{host}:{port}{path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close", "", ""]
        way.sendall("\\r\\n".join(lines).encode())
        told = b""
        while part := way.recv(4096):
            told += part
        return told.decode()

@tool
def reach(address: str, port: int) -> str:
    "Connect without asking anybody."
    try:
        socket.create_connection((address, port), 2).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"page {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


def allowing(port: int, **more: object) -> dict[str, object]:
    return {"network": {"allow": [{"host": "localhost", "port": port, "addresses": ["127.0.0.0/8"], **more}]}}


async def test_a_client_that_knows_of_no_proxy_reaches_what_is_allowed(
    sandbox: Sandbox, project: ToolProject, port: int
) -> None:
    args = {"url": f"http://localhost:{port}/orders", "proxied": False}
    result = await project.call(sandbox, TOOL, "get", policy=allowing(port), args=args)
    assert result.value == {"status": 200, "text": "page /orders"}
    (connection,) = result.egress
    assert (connection.host, connection.port, connection.decision) == ("localhost", port, "allowed")
    assert connection.received > 0


async def test_a_client_that_goes_by_the_proxy_reaches_what_is_allowed(
    sandbox: Sandbox, project: ToolProject, port: int
) -> None:
    args = {"host": "localhost", "port": port}
    result = await project.call(sandbox, TOOL, "through_proxy", policy=allowing(port), args=args)
    assert result.value.startswith("HTTP/1.1 200")
    assert result.value.endswith("page /")


async def test_what_is_not_allowed_is_denied_in_words_a_program_can_read(
    sandbox: Sandbox, project: ToolProject, port: int
) -> None:
    args = {"url": "http://example.com/", "proxied": True}
    result = await project.call(sandbox, TOOL, "get", policy=allowing(port), args=args)
    assert result.value["status"] == 403
    told = json.loads(result.value["text"])
    assert (told["error"], told["host"], told["port"]) == ("egress_denied", "example.com", 80)
    assert told["key"] == "sandbox.network.allow"
    assert [each.decision for each in result.egress] == ["denied"]


async def test_a_path_outside_of_the_policy_is_denied(sandbox: Sandbox, project: ToolProject, port: int) -> None:
    policy = allowing(port, methods=["GET"], paths=["/v1/"])
    for path, status in (("/v1/orders", 200), ("/v2/orders", 403), ("/v1/../v2", 403)):
        args = {"host": "localhost", "port": port, "path": path}
        result = await project.call(sandbox, TOOL, "through_proxy", policy=policy, args=args)
        assert result.value.startswith(f"HTTP/1.1 {status}"), path


async def test_there_is_no_way_around_the_names(sandbox: Sandbox, project: ToolProject, port: int) -> None:
    for address, number in (("1.1.1.1", 443), ("169.254.169.254", 80), ("172.17.0.1", port)):
        args = {"address": address, "port": number}
        assert (await project.call(sandbox, TOOL, "reach", policy=allowing(port), args=args)).value == "OSError"


async def test_a_private_address_is_refused_unless_the_policy_names_it(
    sandbox: Sandbox, project: ToolProject, port: int
) -> None:
    policy = {"network": {"allow": [f"localhost:{port}"]}}
    args = {"url": f"http://localhost:{port}/", "proxied": False}
    result = await project.call(sandbox, TOOL, "get", policy=policy, args=args)
    assert result.value["status"] in (0, 403)
    assert [each.decision for each in result.egress] == ["denied"]


async def test_a_conversation_keeps_its_way_out_from_call_to_call(
    sandbox: Sandbox, project: ToolProject, port: int
) -> None:
    from bailiwick.sandbox import Request, inside_path

    file = project.write(TOOL)
    spec = project.spec(file, isolation="thread", **allowing(port))
    for n in range(3):
        args = {"url": f"http://localhost:{port}/{n}", "proxied": False}
        asked = Request(file=inside_path(file), function="get", args=args, thread="one")
        result = await sandbox.run(spec, asked)
        assert result.value == {"status": 200, "text": f"page /{n}"}
        assert len(result.egress) == 1
