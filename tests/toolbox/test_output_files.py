"""Files that a call leaves are kept where its policy says, each call's in a folder of its own, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick import Toolbox
from bailiwick.errors import PolicyError, SandboxRefused
from bailiwick.sandbox import OutputFile
from bailiwick.toolbox.output_files import keep_files

TOOL = '''
from bailiwick import output, tool

@tool
def report(title: str) -> str:
    """Write a report."""
    (output() / "report.txt").write_text(f"{title}: all is well")
    return "written"
'''
POLICY = """
version: 1
tool: report
effect: read
output: {trust: trusted}
rules: [{id: any, decision: allow, agents: [any], args: {title: {type: string}}, reason: r}]
sandbox: {files: {output: OUTPUT}}
"""


def shop(root: Path, output: str) -> None:
    for folder, name, text in (("tools", "report.py", TOOL), ("policies", "report.yaml", POLICY)):
        (root / folder).mkdir()
        (root / folder / name).write_text(text.replace("OUTPUT", output))


def test_a_file_that_a_call_leaves_is_kept_and_told(tmp_path: Path, sandbox_kind: str) -> None:
    shop(tmp_path, "data/reports")
    toolbox = Toolbox.open(tmp_path / "tools", policies=tmp_path / "policies", sandbox=sandbox_kind)  # type: ignore[arg-type]
    try:
        toolbox.prepare()
        (tool,) = toolbox.tools
        messages = [
            tool.invoke({"name": "report", "args": {"title": title}, "id": title, "type": "tool_call"})
            for title in ("May", "June")
        ]
    finally:
        toolbox.close()
    for title, message in zip(("May", "June"), messages, strict=True):
        (name,) = message.artifact["bailiwick"]["files"]
        assert (tmp_path / "data/reports" / name).read_text() == f"{title}: all is well"
        assert f"A file was kept: {name}" in message.content
    assert len(list((tmp_path / "data/reports").iterdir())) == 2


@pytest.mark.parametrize("output", ["../away", "/etc", ".bailiwick/x", "tools"])
def test_a_folder_that_files_may_not_be_kept_in_is_refused(tmp_path: Path, output: str) -> None:
    shop(tmp_path, output)
    with pytest.raises(PolicyError, match=r"sandbox\.files\.output"):
        Toolbox.open(tmp_path / "tools", policies=tmp_path / "policies", sandbox="auto")


def test_a_call_that_is_run_again_replaces_what_it_left_and_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = keep_files(folder, "call 1", [OutputFile(name="a/b.txt", data=b"1"), OutputFile(name="c", data=b"2")])
    again = keep_files(folder, "call 1", [OutputFile(name="c", data=b"3")])
    (own,) = folder.iterdir()
    assert [each.name for each in own.iterdir()] == ["c"]
    assert (folder / again[0]).read_bytes() == b"3"
    assert again[0] in first
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(SandboxRefused, match="is a link"):
        keep_files(tmp_path / "link", "call 2", [OutputFile(name="c", data=b"4")])
