"""Everything that is wrong with a policy is found at once; who needs one error gets the first, and how many follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick.errors import PolicyError
from bailiwick.policy import load_policy
from bailiwick.policy.load import read_policies, read_policy

WRONG = """version: 2
tool: refnd
efect: write
rules:
  - {id: R, decision: allow, reason: r}
  - {id: s, decision: permit, reason: r}
"""
TOO_WIDE = """version: 1
tool: refund
rules:
  - {id: r, decision: allow, args: {a: {regex: ".*"}, b: {equals: $user}}, reason: r}
sandbox: {files: {read: [/, ~/x]}}
"""


def written(folder: Path, text: str, name: str = "refund") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def test_what_is_not_of_a_policys_form_is_told_key_by_key(tmp_path: Path) -> None:
    loaded, problems = read_policy(written(tmp_path, WRONG))
    assert loaded is None
    assert [(problem.key, problem.line) for problem in problems] == [
        ("version", 1),
        ("tool", 2),
        ("efect", 3),
        ("rules.0.id", 5),
        ("rules.1.decision", 6),
    ]
    assert all(problem.fix for problem in problems)


def test_what_reaches_too_far_is_told_and_the_policy_is_there_to_be_looked_at(tmp_path: Path) -> None:
    loaded, problems = read_policy(written(tmp_path, TOO_WIDE))
    assert loaded is not None
    assert [problem.key for problem in problems] == [
        "sandbox.files.read.0", "sandbox.files.read.1", "rules.0.args.a.regex", "rules.0.args.b.equals",
    ]  # fmt: skip


def test_loading_raises_the_first_and_says_how_many_follow_with_its_place_told_once(tmp_path: Path) -> None:
    file = written(tmp_path, WRONG)
    with pytest.raises(PolicyError) as caught:
        load_policy(file)
    assert str(caught.value) == (
        f"{file}:1: version: the version 2 is not known (and 4 more after this)\n  fix: write version: 1"
    )
    assert caught.value.problem == "the version 2 is not known (and 4 more after this)"


def test_one_problem_alone_is_not_counted(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(written(tmp_path, "version: 1\ntool: refund\neffect: reads\n"))
    assert "more after this" not in str(caught.value)


def test_a_folder_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    written(tmp_path, WRONG)
    after = "rules: [{id: r, decision: ask, after: [{tool: refund}, {tool: refnd}], reason: r}]"
    written(tmp_path, f"version: 1\ntool: lookup\n{after}\n", "lookup")
    (tmp_path / "other.yml").write_text("")
    policies, problems = read_policies(tmp_path)
    assert list(policies) == ["lookup"]
    found = [(Path(problem.file or "").name, problem.key) for problem in problems]
    assert ("other.yml", None) in found
    # What cannot be read may still be meant; what no file is named for is not.
    assert [each for each in found if each[0] == "lookup.yaml"] == [("lookup.yaml", "rules.0.after.1.tool")]
    assert len([each for each in found if each[0] == "refund.yaml"]) == 5
