"""Every attack wins where the one defence against it is missing, so that withstanding it says something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox import weakened as weak

from bailiwick.errors import AttestationFailed
from bailiwick.sandbox import Result, ToolFailure
from bailiwick.sandbox.contract import ATTACKS, Attack, run_attack

pytestmark = pytest.mark.docker


@dataclass(frozen=True)
class Win:
    """Where an attack wins, and what the verdict then says: a container that did not even start is no win."""

    where: weak.Weakening
    shows: str
    changes: bool = False
    """Whether it is the container that is weak, and not the host's side."""


def flags(shows: str, *changes: weak.Change) -> Win:
    return Win(weak.changed(*changes), shows, changes=True)


def believed(shows: str, function: str, **ended: Any) -> Win:
    """A sandbox that believes what is false, or that ends as the tool would like it to."""
    return Win(weak.answering(**{function: Result(**{"cause": "ok", "cpu_ms": 1.0, "wall_ms": 1.0, **ended})}), shows)


TAKEN = {
    f"answer-{what}": believed("it ended with ok", "answer_with", value="taken as it came")
    for what in ("deep", "bottomless", "object", "nan", "surrogate", "bytes", "keys")
}
MORE_MEMORY = weak.host(Memory=384 * 2**20, MemorySwap=384 * 2**20)
MORE_PROCESSES = weak.host(PidsLimit=64)
UNMASKED = weak.host(MaskedPaths=[], ReadonlyPaths=[])
LEAKED = weak.changed(weak.leaking_runner)
SPAN = {"name": "n", "start_ns": 0, "end_ns": 1, "attributes": {}, "error": "", "traceparent": "00-1-1-01"}

WINS: dict[str, Win] = {
    "write": flags("/x: done", weak.as_root(), weak.host(ReadonlyRootfs=False)),
    "unmake": flags("unlink: done", weak.as_root(), weak.writable("/work/data/read")),
    "links": flags("by-path: done", weak.mounted(lambda folder: folder / "outside.txt")),
    "capabilities": flags("CapBnd is", weak.host(CapAdd=["NET_RAW"])),
    "identity": flags("NoNewPrivs 0", weak.with_new_privileges),
    "regain": flags("setuid: done", weak.as_root("SETUID")),
    "setuid-files": flags("/usr/local/bin/su", weak.mounted(weak.stand_in("su", mode=0o4755), "/usr/local/bin/su")),
    "runner": flags("mem: done", weak.as_root("SYS_PTRACE")),
    "stop-runner": believed("it ended with killed", "stop_the_runner", cause="killed"),
    "limits": flags("nice: done", weak.as_root("SYS_NICE")),
    "descriptors": Win(LEAKED, "descriptors lead to"),
    "surroundings": flags(
        "HOST_TOKEN", lambda arguments, _: arguments["environment"].update(HOST_TOKEN="of the host's")
    ),
    "mounting": flags("mount_setattr: EINVAL", weak.without_seccomp),
    "namespaces": flags("unshare user: done", weak.without_seccomp),
    "clone": flags("user: done", weak.without_seccomp),
    "spying": flags("process_vm_readv", weak.without_seccomp),
    "kernel": flags("userfaultfd: done", weak.without_seccomp),
    "keys": flags("add_key: done", weak.without_seccomp),
    "shared-memory": flags("shmget: done", weak.without_seccomp),
    "clock": flags("clock_settime: EFAULT", weak.without_seccomp),
    "sockets": flags("netlink: done", weak.without_seccomp),
    "walk-out": flags("/proc/self/cwd: done", weak.mounted(lambda folder: folder)),
    "executables": flags("/proc/self/exe: ETXTBSY", weak.as_root("DAC_OVERRIDE"), weak.host(ReadonlyRootfs=False)),
    "knobs": flags("/proc/sys/kernel/core_pattern: done", weak.as_root(), UNMASKED),
    "masked": flags("/proc/timer_list: done", weak.as_root(), UNMASKED),
    "devices": flags(
        "/dev/mem: done",
        weak.host(Devices=[{"PathOnHost": "/dev/null", "PathInContainer": "/dev/mem", "CgroupPermissions": "r"}]),
    ),
    "make-devices": flags("/work/data/write/disk: done", weak.as_root("MKNOD"), weak.without_seccomp),
    "host-files": flags("/etc/machine-id: done", weak.mounted(weak.stand_in("machine-id"), "/etc/machine-id")),
    "engines": Win(weak.with_an_engine, "/run/docker.sock: done"),
    "cgroup": flags("release_agent: done", weak.mounted(weak.control_group, "/sys/fs/cgroup", write=True)),
    "network": flags("a server on the host was reached", weak.networked("host")),
    "packets": Win(weak.in_a_stand_in_internet, "udp: done"),
    "metadata": Win(weak.in_a_stand_in_internet, "0xA9FEA9FE: done"),
    "names": Win(weak.in_a_stand_in_internet, "datagram to 8.8.8.8: done"),
    "daemon": Win(weak.with_a_daemon, "runs on after the answer"),
    "daemon-kept": Win(weak.with_a_daemon, "runs on after the answer"),
    "planted-code": flags("planted code was run", weak.listening_to_the_environment),
    "state": flags("found what was left in ['/tmp']", weak.shared_tmp),
    "planted-links": Win(weak.over(weak.FollowingLinks), "['private']"),
    "racing-links": Win(weak.over(weak.FollowingLinks), "['private']"),
    "egress-inwards": Win(weak.patched("bailiwick.sandbox.egress.dial.refusal", lambda *_: ""), "loopback was reached"),
    "egress-elsewhere": Win(weak.patched("bailiwick.sandbox.egress.asked._at", weak.any_port), "no policy names"),
    "egress-name": Win(weak.patched("bailiwick.sandbox.egress.tunnel.may_pass", weak.anything), "TLS for another host"),
    "egress-host": Win(weak.patched("bailiwick.sandbox.egress.tunnel.may_pass", weak.anything), "bank.example"),
    "egress-socket": believed(
        "sockets are in reach",
        "find_sockets",
        value={"seen": ["/egress/proxy.sock", "/run/x"], "own": [1], "abstract": 0, "others": []},
    ),
    "egress-beside": Win(weak.in_a_stand_in_internet, "internet: done"),
    "egress-smuggle": Win(weak.patched("bailiwick.sandbox.egress.exchange._request", weak.as_it_came), "bank.example"),
    "conversation": flags("found what was left in ['/tmp']", weak.shared_tmp),
    "output-links": flags("'etc/passwd', 'passwd']", weak.runner_that_follows_links),
    "output-folder": flags("took back ['group'", weak.runner_that_follows_links),
    "output-sparse": believed("it ended with killed", "leave_sparse_output", cause="killed"),
    "odd-files": Win(weak.over(weak.Collecting), "kept waiting"),
    "secret-inside": Win(weak.over(weak.SecretsInTheEnvironment), "/proc/self/environ"),
    "secret-outside": Win(weak.over(weak.SecretsInTheEnvironment), "docker inspect"),
    "secret-next-call": Win(weak.over(weak.SecretsInTheEnvironment), "found 1 of them"),
    "secret-kept": Win(weak.over(weak.SecretsInTheEnvironment), "found 1 of them"),
    "forge": Win(LEAKED, "the report was forged"),
    "forge-lengths": Win(LEAKED, "the report was forged"),
    "frame-garbage": Win(LEAKED, "the report was forged"),
    "frame-deep": Win(LEAKED, "the report was forged"),
    "frame-oversized": Win(LEAKED, "the report was forged"),
    "frame-nan": Win(LEAKED, "the report was forged"),
    "pickle": Win(weak.over(weak.Unpickling), "ran the pickle"),
    "spans": believed("a span was taken with ['traceparent']", "forge_spans", spans=(SPAN,)),
    "large": Win(weak.over(weak.Listening), "it ended with ok"),
    **TAKEN,
    "exit": believed("it ended with ok", "end_with"),
    "system-exit": believed("it ended with ok", "end_with"),
    "interrupt": believed("it ended with killed", "end_with", cause="killed"),
    "segfault": believed("it ended with killed", "end_with", cause="killed"),
    "kill-self": believed("it ended with oom", "end_with", cause="oom"),
    "kill-all": believed("it ended with killed", "end_with", cause="killed"),
    "loud": believed(
        "characters were taken back",
        "end_with",
        cause="error",
        failure=ToolFailure(type="ValueError", message="x" * 1_000_000),
    ),
    "exec-tmp": flags("script: done", weak.tmp("noexec", "exec")),
    "fill-tmp": flags("4194304 is the bound", weak.tmp("size=", "size=16m")),
    "fork-bomb": flags("20 is the bound", MORE_PROCESSES),
    "fork-storm": Win(weak.over(weak.Patient), "it ended with ok"),
    "thread-bomb": flags("20 is the bound", MORE_PROCESSES),
    "memory": flags("it ended with ok", MORE_MEMORY),
    "memory-children": flags("its children with [0, 0, 0, 0]", MORE_MEMORY),
    "spin": Win(weak.over(weak.Patient), "it ended with ok"),
    "flood": Win(weak.over(weak.Listening), "it ended with ok"),
    "chatter": Win(weak.over(weak.Listening), "characters were taken back"),
}


def test_every_attack_has_a_sandbox_in_which_it_wins() -> None:
    assert set(WINS) == {attack.name for attack in ATTACKS}


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers serve without having shown what they are: what is weakened here would not be let serve."""
    monkeypatch.setattr("bailiwick.sandbox.starting.attest", lambda *_: None)


@pytest.mark.usefixtures("unproven")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_wins_where_its_defence_is_missing(attack: Attack, tmp_path: Path) -> None:
    win = WINS[attack.name]
    async with win.where(tmp_path / attack.name) as sandbox:
        outcome = await run_attack(sandbox, attack, tmp_path)
    assert outcome.ending == "breached"
    assert win.shows in outcome.why


@pytest.mark.parametrize(
    "attack", [each for each in ATTACKS if WINS[each.name].changes], ids=lambda attack: attack.name
)
async def test_a_container_without_a_defence_is_destroyed_before_it_serves(attack: Attack, tmp_path: Path) -> None:
    async with WINS[attack.name].where(tmp_path / attack.name) as sandbox:
        with pytest.raises(AttestationFailed):
            await run_attack(sandbox, attack, tmp_path)
