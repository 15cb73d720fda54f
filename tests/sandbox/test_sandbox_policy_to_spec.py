"""A policy becomes exactly the container it describes, or is refused with its key and the fix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bailiwick.errors import BailiwickError, PolicyError, SandboxRefused
from bailiwick.sandbox import Mount, Spec


@pytest.fixture
def tool_file(project) -> Path:
    return project.write("@tool\ndef shop() -> None:\n    '''Shop.'''\n")


def test_an_empty_policy_mounts_the_tools_file_and_nothing_else(project, tool_file: Path) -> None:
    spec = project.spec(tool_file)
    assert spec == Spec(image="python", mounts=(Mount(source=tool_file, target="/tool/shop.py"),))
    assert spec.uid == 65534


def test_every_limit_reaches_the_spec(project, tool_file: Path) -> None:
    limits = {"cpu": 2, "memory": "256Mi", "pids": 32, "disk": "1Mi"}
    spec = project.spec(tool_file, limits=limits, runtime="runc", image="other:1")
    assert (spec.cpu, spec.memory, spec.pids, spec.disk) == (2, 256 * 2**20, 32, 2**20)
    assert (spec.runtime, spec.image) == ("runc", "other:1")


def test_paths_appear_under_work_in_an_order_that_can_be_mounted(project, tool_file: Path) -> None:
    out = project.folder("data/out")
    (project.root / "data" / "rates.csv").write_text("AT,5")
    spec = project.spec(tool_file, files={"read": ["data", "data/rates.csv"], "write": ["data/out"]})
    assert [(mount.target, mount.write) for mount in spec.mounts] == [
        ("/tool/shop.py", False),
        ("/work/data", False),
        ("/work/data/out", True),
        ("/work/data/rates.csv", False),
    ]
    assert spec.mounts[2].source == out
    assert spec.uid == (os.getuid() or 65534)


def test_a_link_within_the_project_is_mounted_as_what_it_leads_to(project, tool_file: Path) -> None:
    (project.root / "v2").mkdir()
    (project.root / "current").symlink_to("v2")
    spec = project.spec(tool_file, files={"read": ["current"]})
    assert spec.mounts[1] == Mount(source=project.root / "v2", target="/work/current")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/etc", "leaves the project"),
        ("../other", "leaves the project"),
        ("data/../../other", "leaves the project"),
        (".", "is the whole project"),
        ("nowhere", "is not there"),
        ("out-link", "is a link out of the project, to /etc"),
        ("up-link/hostname", "is a link out of the project"),
        ("loop", "cannot be followed"),
        ("root-link", "is a link out of the project"),
        ("pipe", "is neither a file nor a folder"),
    ],
)
@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_path_that_is_not_of_the_project_is_refused(
    project, tool_file: Path, kind: str, path: str, message: str
) -> None:
    for name, target in (("out-link", "/etc"), ("up-link", "/etc"), ("loop", "loop"), ("root-link", ".")):
        (project.root / name).symlink_to(target)
    os.mkfifo(project.root / "pipe")
    with pytest.raises(PolicyError) as caught:
        project.spec(tool_file, files={kind: [path]})
    assert message in caught.value.message
    assert caught.value.key == f"sandbox.files.{kind}"
    assert caught.value.fix


def test_the_policys_file_is_named_where_there_is_one(project, tool_file: Path) -> None:
    (project.root / "policies").mkdir()
    (project.root / "policies" / "shop.yaml").write_text("")
    with pytest.raises(PolicyError, match=r"policies/shop\.yaml: sandbox\.files\.read: 'nowhere' is not there"):
        project.spec(tool_file, files={"read": ["nowhere"]})


def test_a_path_cannot_be_both_read_only_and_writable(project, tool_file: Path) -> None:
    project.folder("data")
    with pytest.raises(PolicyError, match="under read and under write"):
        project.spec(tool_file, files={"read": ["data"], "write": ["data"]})


@pytest.mark.skipif(os.getuid() != 0, reason="only root's files belong to somebody else than the container's user")
def test_files_of_root_are_refused_for_writing_with_the_command_that_fixes_it(project, tool_file: Path) -> None:
    out = project.folder("data")
    (out / "orders.db").write_text("")
    os.chown(out / "orders.db", 0, 0)
    with pytest.raises(SandboxRefused) as caught:
        project.spec(tool_file, files={"write": ["data"]})
    assert caught.value.message == f"{out / 'orders.db'} cannot be written by the uid 65534 that containers run as"
    assert caught.value.fix == f"chown -R 65534:65534 {out}"
    os.chown(out / "orders.db", 65534, 65534)
    assert project.spec(tool_file, files={"write": ["data"]}).mounts[1].write


def test_a_file_that_the_container_could_not_read_is_refused(project, tool_file: Path) -> None:
    (project.root / "private").mkdir(mode=0o700)
    with pytest.raises(SandboxRefused, match="cannot be read by the uid") as caught:
        project.spec(tool_file, files={"read": ["private"]})
    assert caught.value.fix == f"chmod -R o+rX {project.root / 'private'}"


@pytest.mark.parametrize(
    ("half", "message"),
    [
        ({"requirements": ["no-such-distribution"]}, "'no-such-distribution' is not installed here"),
    ],
)
def test_what_cannot_be_held_is_refused_rather_than_left_out(
    project, tool_file: Path, half: dict, message: str
) -> None:
    with pytest.raises(BailiwickError, match=message) as caught:
        project.spec(tool_file, **half)
    assert isinstance(caught.value, (PolicyError, SandboxRefused))
    assert caught.value.fix


def test_hosts_and_isolation_are_part_of_the_spec(project, tool_file: Path) -> None:
    allow = ["Shop.Example:443", {"host": "db.shop", "port": 5432, "addresses": ["10.0.0.0/8"]}]
    spec = project.spec(tool_file, network={"allow": allow, "bytes": "1Mi"}, isolation="thread")
    assert [(each.host, each.port, each.tls, each.addresses) for each in spec.network] == [
        ("shop.example", 443, True, ()),
        ("db.shop", 5432, False, ("10.0.0.0/8",)),
    ]
    assert (spec.network_bytes, spec.isolation) == (2**20, "thread")
    assert project.spec(tool_file).digest != spec.digest


def test_requirements_are_copied_once_with_what_they_need_and_nothing_else(
    project, tool_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAILIWICK_CACHE", str(tmp_path / "cache"))
    first = project.spec(tool_file, requirements=["beautifulsoup4"])
    site = first.mounts[1]
    assert (site.target, site.write) == ("/site", False)
    names = {path.name for path in site.source.iterdir() if not path.name.endswith(".dist-info")}
    assert {"bs4", "soupsieve"} <= names
    assert names <= {"bs4", "soupsieve", "typing_extensions.py", "__pycache__"}
    assert not any(path.stat().st_mode & 0o222 for path in site.source.rglob("*") if path.is_file())
    assert project.spec(tool_file, requirements=["BeautifulSoup4"]).mounts[1] == site
    assert project.spec(tool_file, requirements=["soupsieve"]).mounts[1] != site


def test_two_equal_policies_have_one_digest_and_any_difference_another(project, tool_file: Path) -> None:
    assert project.spec(tool_file).digest == project.spec(tool_file).digest
    assert project.spec(tool_file).digest != project.spec(tool_file, limits={"pids": 17}).digest
