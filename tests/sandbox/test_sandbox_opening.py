"""Which sandbox is opened, what it refuses to hold, and what the doctor says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import docker
import pytest

from bailiwick.errors import SandboxFailed, SandboxRefused, SandboxUnavailable
from bailiwick.sandbox import Request, Sandbox, Spec, diagnose, inside_path, open_sandbox


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.docker
async def test_docker_is_taken_where_an_engine_answers() -> None:
    sandbox = await open_sandbox()
    assert sandbox.kind == "docker"
    await sandbox.close()


@pytest.mark.bubblewrap
async def test_bubblewrap_is_taken_where_none_does(no_docker: None) -> None:
    sandbox = await open_sandbox()
    assert sandbox.kind == "bubblewrap"
    await sandbox.close()


@pytest.mark.bubblewrap
async def test_the_environment_may_choose_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAILIWICK_SANDBOX", "bubblewrap")
    sandbox = await open_sandbox("auto")
    assert sandbox.kind == "bubblewrap"
    await sandbox.close()


async def test_where_neither_is_here_both_reasons_and_the_fix_are_told(no_docker: None, no_bubblewrap: None) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        await open_sandbox()
    assert "no Docker Engine answers" in caught.value.message
    assert "bubblewrap is not installed" in caught.value.message
    assert "systemctl start docker" in str(caught.value.fix)
    assert "apt-get install bubblewrap" in str(caught.value.fix)


async def test_a_choice_is_not_replaced_by_another(no_docker: None) -> None:
    with pytest.raises(SandboxUnavailable, match="no Docker Engine answers"):
        await open_sandbox("docker")


@pytest.mark.parametrize("wrong", ["none", "off", "host", "dokcer"])
async def test_there_is_no_way_to_choose_none(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("BAILIWICK_SANDBOX", wrong)
    with pytest.raises(SandboxUnavailable, match="is no sandbox"):
        await open_sandbox()


async def test_a_closed_sandbox_runs_nothing(sandbox: Sandbox) -> None:
    opened = await open_sandbox("docker" if sandbox.kind == "docker" else "bubblewrap")
    await opened.close()
    with pytest.raises(SandboxFailed, match="was closed"):
        await opened.run(Spec(image="python"), Request(file="/tool/x.py"))


def gvisor_is_registered() -> bool:
    with closing(docker.from_env()) as client:
        return "runsc" in client.info()["Runtimes"]


def test_a_runtime_that_is_not_here_is_refused(sandbox: Sandbox) -> None:
    sandbox.check(Spec(image="python"))
    other = {"docker": "bubblewrap", "bubblewrap": "runc"}[sandbox.kind]
    with pytest.raises(SandboxRefused, match=f"{other} is demanded"):
        sandbox.check(Spec(image="python", runtime=other))  # type: ignore[arg-type]
    if sandbox.kind == "bubblewrap" or not gvisor_is_registered():
        with pytest.raises(SandboxRefused, match="gvisor is demanded"):
            sandbox.check(Spec(image="python", runtime="gvisor"))


def test_an_image_that_is_not_here_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefused, match="no image") as caught:
        sandbox.check(Spec(image="no-such-image:1"))
    assert caught.value.fix


@pytest.fixture
def other_image() -> Iterator[str]:
    """An image of the user's own: here, one with an interpreter, under another name."""
    client = docker.from_env()
    own = next(image for image in client.images.list(name="bailiwick/python"))
    own.tag("bailiwick-test/other", "1")
    yield "bailiwick-test/other:1"
    client.images.remove("bailiwick-test/other:1")
    client.close()


@pytest.mark.docker
async def test_a_tool_runs_in_an_image_of_the_users(project, other_image: str) -> None:
    sandbox = await open_sandbox("docker")
    file = project.write("@tool\ndef hello() -> str:\n    '''Hello.'''\n    return 'hello'\n")
    result = await sandbox.run(project.spec(file, image=other_image), Request(file=inside_path(file), function="hello"))
    assert (result.cause, result.value) == ("ok", "hello")
    await sandbox.close()


@pytest.mark.docker
@pytest.mark.bubblewrap
def test_the_doctor_finds_what_is_here() -> None:
    found = {finding.name: finding for finding in diagnose()}
    assert list(found) == ["docker", "gvisor", "seccomp", "bubblewrap", "limits (bubblewrap)"]
    assert found["docker"].ok
    assert "cgroup v" in found["docker"].detail
    assert "runc" in found["docker"].detail
    assert found["bubblewrap"].ok
    assert found["seccomp"].ok
    assert all(finding.ok or finding.fix for finding in found.values())


def test_the_doctor_says_how_to_get_what_is_missing(no_docker: None, no_bubblewrap: None) -> None:
    found = {finding.name: finding for finding in diagnose()}
    assert not found["docker"].ok
    assert "docker" in found["docker"].fix
    assert not found["bubblewrap"].ok
    assert "apt-get install bubblewrap" in found["bubblewrap"].fix
