"""A container that is not what its policy compiles to is destroyed before it serves, and the error names the item."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox.sandbox_kinds import KINDS
from typer.testing import CliRunner

from bailiwick.cli import app
from bailiwick.errors import AttestationFailed, ConfigError
from bailiwick.sandbox import Mount, Request, Sandbox, Spec, read_evidence
from bailiwick.sandbox.attestation import attest
from bailiwick.sandbox.bubblewrap import BubblewrapEngine
from bailiwick.sandbox.conversation import wait_until_ready
from bailiwick.sandbox.docker import DockerEngine, connect
from bailiwick.sandbox.egress import Endpoint
from bailiwick.sandbox.stamp import mounted_files
from bailiwick.sandbox.starting import Engine


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    opened = DockerEngine(connect()) if request.param == "docker" else BubblewrapEngine()
    yield opened
    opened.close()


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    folder = tmp_path / "shared"
    folder.mkdir()
    (tmp_path / "tool.py").write_text("")
    tool = Mount(source=tmp_path / "tool.py", target="/tool/tool.py")
    return Spec(image="python", mounts=(tool, Mount(source=folder, target="/work/shared")))


def report_of(engine: Engine, spec: Spec) -> tuple[str, dict[str, Any]]:
    """What a container that was started from ``spec`` says of itself."""
    container = engine.start(spec)
    try:
        hello = wait_until_ready(container.channel, 20)
        limits = {**hello.report["limits"], **container.limits()}
        return hello.spec, {**hello.report, "limits": limits}
    finally:
        container.kill()
        container.discard()


CHANGED: dict[str, tuple[Any, str]] = {
    "image": ("another", "spec"),
    "mounts": ((), "mounts./work/shared"),
    "uid": (65533, "uid"),
    "cpu": (0.9, "limits.cpu"),
    "memory": (160 * 2**20, "limits.memory"),
    "pids": (40, "limits.pids"),
    "disk": (2**20, "mounts./tmp.size"),
    "runtime": ("runc", "spec"),
    "network": ((Endpoint(host="example.com", port=443),), "spec"),
    "network_bytes": (1, "spec"),
    "isolation": ("thread", "spec"),
}


def test_every_field_of_a_spec_is_tampered_with_below() -> None:
    assert set(CHANGED) == {each.name for each in dataclasses.fields(Spec)}


def test_a_true_container_is_what_its_spec_says(engine: Engine, spec: Spec) -> None:
    told, report = report_of(engine, spec)
    attest(spec, engine.kind, told, report, files=mounted_files(spec.mounts))


@pytest.mark.parametrize("field", [name for name in CHANGED if name not in ("image", "runtime", "network")])
def test_a_container_that_was_started_from_a_tampered_spec_fails(engine: Engine, spec: Spec, field: str) -> None:
    value, item = CHANGED[field]
    told, report = report_of(engine, replace(spec, **{field: value}))
    with pytest.raises(AttestationFailed, match=item) as raised:
        attest(spec, engine.kind, told, report)
    assert "spec is" in str(raised.value)


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_a_report_that_was_made_for_another_spec_fails(engine: Engine, spec: Spec, field: str) -> None:
    told, report = report_of(engine, spec)
    with pytest.raises(AttestationFailed, match="spec is"):
        attest(replace(spec, **{field: CHANGED[field][0]}), engine.kind, told, report)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("capabilities", {"CapBnd": 1 << 21}),
        ("no_new_privileges", 0),
        ("seccomp", 0),
        ("interfaces", ["eth0", "lo"]),
        ("groups", [0]),
        ("devices", ["null", "sda"]),
        ("limits", {}),
        ("acts", {"mount": "done"}),
        ("acts", {}),
        ("environment", ["AWS_SECRET"]),
        ("uncovered", ["/proc/kcore"]),
    ],
)
def test_one_item_that_differs_is_named(engine: Engine, spec: Spec, item: str, value: Any) -> None:
    if item == "uncovered" and engine.kind == "bubblewrap":
        pytest.skip("covering places below /proc is what OCI runtimes do; bubblewrap's /proc is its own user's")
    told, report = report_of(engine, spec)
    with pytest.raises(AttestationFailed, match=rf"{item}[.\w ]* is"):
        attest(spec, engine.kind, told, {**report, item: value})


def test_a_mount_that_is_another_folder_than_it_was_is_named(engine: Engine, spec: Spec, tmp_path: Path) -> None:
    before = mounted_files(spec.mounts)
    (tmp_path / "shared").rename(tmp_path / "away")
    (tmp_path / "shared").mkdir()
    told, report = report_of(engine, spec)
    with pytest.raises(AttestationFailed, match=r"mounts\./work/shared\.file"):
        attest(spec, engine.kind, told, report, files=before)


def test_a_mount_nobody_asked_for_and_a_folder_that_can_be_written_are_named(engine: Engine, spec: Spec) -> None:
    told, report = report_of(engine, spec)
    more = {**report["mounts"], "/host": {"type": "ext4", "mode": "ro", "flags": []}}
    with pytest.raises(AttestationFailed, match=r"mounts\./host"):
        attest(spec, engine.kind, told, {**report, "mounts": more})
    hidden = {**report["mounts"], "/dev/host": {"type": "ext4", "mode": "rw", "flags": []}}
    with pytest.raises(AttestationFailed, match=r"mounts\./dev/host"):
        attest(spec, engine.kind, told, {**report, "mounts": hidden})
    opened = {**report["mounts"], "/work/shared": {**report["mounts"]["/work/shared"], "mode": "rw"}}
    with pytest.raises(AttestationFailed, match=r"mounts\./work/shared is 'rw'"):
        attest(spec, engine.kind, told, {**report, "mounts": opened})


async def test_evidence_is_kept_by_its_digest_and_shown(sandbox: Sandbox, spec: Spec) -> None:
    (spec.mounts[0].source).write_text('from bailiwick import tool\n@tool\ndef f() -> int:\n "F."\n return 1\n')
    asked = Request(file="/tool/tool.py", function="f")
    result = await sandbox.run(spec, asked)
    assert (await sandbox.run(spec, asked)).evidence == result.evidence
    shown = CliRunner().invoke(app, ["sandbox", "evidence", result.evidence])
    assert shown.exit_code == 0
    record = json.loads(shown.output)
    assert record["spec_digest"] == spec.digest
    assert record["report"]["acts"]["mount"] == "EPERM"
    assert read_evidence(result.evidence[:20]) == record


def test_evidence_that_was_changed_or_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_CACHE", str(tmp_path))
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / f"{'ab' * 32}.json").write_text("{}")
    with pytest.raises(ConfigError, match="changed"):
        read_evidence("sha256:" + "ab" * 32)
    with pytest.raises(ConfigError, match="no such evidence"):
        read_evidence("cd" * 32)
    with pytest.raises(ConfigError, match="no digest"):
        read_evidence("../../etc/passwd")
