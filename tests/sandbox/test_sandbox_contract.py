"""Every kind of sandbox withstands every attack that ships."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bailiwick.sandbox import Sandbox
from bailiwick.sandbox.bubblewrap import BubblewrapEngine, choose_limiter
from bailiwick.sandbox.contract import ATTACKS, Attack, Scene, run_attack
from bailiwick.sandbox.contract.exhausting import EXHAUSTING
from bailiwick.sandbox.single_use import SingleUse

NEEDS_AN_ENGINE = "no engine of containers listens on this machine"
"""Why ``engines`` cannot be tried on some machines that have bubblewrap alone."""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_a_sandbox_keeps_its_promise(sandbox: Sandbox, attack: Attack, tmp_path: Path) -> None:
    outcome = await run_attack(sandbox, attack, tmp_path)
    if not (attack.name == "engines" and NEEDS_AN_ENGINE in outcome.why):
        assert str(outcome) == "withstood", attack.promise
    assert list(tmp_path.iterdir()) == []


def test_attacks_have_names_of_their_own_and_say_what_is_tried() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert len({attack.tried for attack in ATTACKS}) == len(ATTACKS)


@pytest.fixture(scope="module")
def without_cgroups() -> Iterator[Sandbox]:
    opened = SingleUse(BubblewrapEngine(limiter=choose_limiter("watching")))
    yield opened
    asyncio.run(opened.close())


@pytest.mark.bubblewrap
@pytest.mark.parametrize("attack", EXHAUSTING, ids=lambda attack: attack.name)
async def test_limits_hold_where_no_cgroup_can_be_made(
    without_cgroups: Sandbox, attack: Attack, tmp_path: Path
) -> None:
    assert str(await run_attack(without_cgroups, attack, tmp_path)) == "withstood", attack.promise


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server_on_every_address() -> Iterator[int]:
    with HTTPServer(("0.0.0.0", 0), _Answering) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


async def test_a_server_on_the_host_is_out_of_reach(
    sandbox: Sandbox, server_on_every_address: int, tmp_path: Path
) -> None:
    scene = Scene.prepare(sandbox, tmp_path / "scene")
    for address in ("127.0.0.1", "172.17.0.1"):
        args = {"host_address": address, "host_port": server_on_every_address, "host_name": "nobody"}
        result = await scene.call("network.py", "reach_out", args)
        assert result.cause == "ok"
        assert "done" not in result.value.values()
