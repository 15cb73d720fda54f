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
from bailiwick.sandbox.contract import ATTACKS, Attack, run_attack
from bailiwick.sandbox.single_use import SingleUse

EXHAUSTING = {"fork-bomb", "fork-storm", "thread-bomb", "memory", "memory-children", "spin", "flood"}


@pytest.fixture
def read_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "read"
    folder.mkdir()
    (folder / "file.txt").write_text("to be read")
    outside = tmp_path / "outside.txt"
    outside.write_text("not to be read")
    for name, target in (
        ("shadow", "/etc/shadow"),
        ("up", "../outside.txt"),
        ("by-path", str(outside)),
        ("loop", "loop"),
    ):
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_a_sandbox_keeps_its_promise(sandbox: Sandbox, attack: Attack, read_folder: Path) -> None:
    outcome = await run_attack(sandbox, attack, read_folder)
    assert outcome.broken == "", attack.promise


@pytest.fixture(scope="module")
def without_cgroups() -> Iterator[Sandbox]:
    opened = SingleUse(BubblewrapEngine(limiter=choose_limiter("watching")))
    yield opened
    asyncio.run(opened.close())


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    "attack", [each for each in ATTACKS if each.name in EXHAUSTING - {"fork-bomb", "thread-bomb"}], ids=lambda a: a.name
)
async def test_limits_hold_where_no_cgroup_can_be_made(
    without_cgroups: Sandbox, attack: Attack, read_folder: Path
) -> None:
    outcome = await run_attack(without_cgroups, attack, read_folder)
    assert outcome.broken == "", attack.promise


@pytest.mark.bubblewrap
@pytest.mark.parametrize("function", ["fork-bomb", "thread-bomb"])
async def test_without_a_cgroup_a_bomb_is_refused_or_killed(
    without_cgroups: Sandbox, function: str, read_folder: Path
) -> None:
    attack = next(each for each in ATTACKS if each.name == function)
    outcome = await run_attack(without_cgroups, attack, read_folder)
    assert outcome.broken == "" or outcome.result.cause == "killed"


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
    sandbox: Sandbox, server_on_every_address: int, read_folder: Path
) -> None:
    network = next(attack for attack in ATTACKS if attack.name == "network")
    for address in ("127.0.0.1", "172.17.0.1"):
        args = {"host_address": address, "host_port": server_on_every_address}
        attack = Attack(**{**vars(network), "args": args})
        assert (await run_attack(sandbox, attack, read_folder)).broken == ""
