"""A policy that is wrong is one clear error: file, line, key, and what to write instead."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from bailiwick.errors import PolicyError
from bailiwick.policy import LoadedPolicy, load_policies, load_policy

GOOD = """
version: 1
tool: refund
effect: write
rules:
  - id: small
    decision: allow
    agents: [support]
    args: &args
      order: {type: string, regex: "O-[0-9]+"}
      amount: {type: decimal, gt: 0, le: 50}
    after: [{tool: lookup, same: [order]}]
    reason: small
  - id: large
    decision: ask
    agents: [support]
    args:
      <<: *args
      amount: {type: decimal, gt: 50, le: 500}
    reason: large
"""


def write(folder: Path, text: str, name: str = "refund") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(dedent(text).lstrip("\n"))
    return file


def refused(folder: Path, text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load_policy(write(folder, text))
    assert caught.value.file == str(folder / "refund.yaml")
    return caught.value


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    loaded = load_policy(write(tmp_path, GOOD))
    file = tmp_path / "refund.yaml"
    assert loaded.where("rules.0.args.amount.le") == f"{file}:10"
    assert loaded.where("rules.0.after.0.same.0") == f"{file}:11"
    assert loaded.where("rules.1") == f"{file}:13"
    assert loaded.where("rules.1.args.order.regex") == f"{file}:9"  # merged: it is written at the anchor
    assert loaded.where("rules.1.args.amount.le") == f"{file}:18"
    assert loaded.where("rules.1.nothing.of.that.name") == f"{file}:13"


def test_merged_keys_are_the_anchors_and_own_keys_win(tmp_path: Path) -> None:
    small, large = load_policy(write(tmp_path, GOOD)).policy.rules
    assert large.args["order"] == small.args["order"]
    assert (large.args["amount"].gt, large.args["amount"].le) == (50, 500)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "says", "fix"),
    [
        ("effect: write", "efect: write", 3, "efect", "unknown key 'efect'", "did you mean effect?"),
        ("reason: small", "reasn: small", 12, "rules.0.reasn", "unknown key 'reasn'", "did you mean reason?"),
        ("le: 50}", "less: 50}", 10, "rules.0.args.amount.less", "unknown key 'less'", "le"),
        ("le: 50}", "from: []}", 10, "rules.0.args.amount", "from is empty", "such as [user]"),
        ("le: 50}", "origins: [user]}", 10, "rules.0.args.amount.origins", "unknown key 'origins'", "known here: type"),
        ("le: 50}", "from: [users]}", 10, "rules.0.args.amount.from.0", "'users' is no origin", "tool:NAME"),
        (
            "reason: large",
            "limits: [{calls: 1}]\n    reason: large",
            19,
            "rules.1.limits.0.per",
            "missing",
            "write per",
        ),
        (
            "reason: large",
            "limits: [{per: all}]\n    reason: large",
            19,
            "rules.1.limits.0",
            "either calls",
            "{per: user",
        ),
        (
            "reason: large",
            "limits: [{per: all, sum: amount}]\n    reason: large",
            19,
            "rules.1.limits.0",
            "need each other",
            "write both",
        ),
        (
            "reason: large",
            "limits: [{per: all, sum: order, le: 5}]\n    reason: large",
            13,
            "rules.1",
            "the sum of 'order' needs it",
            "type: integer",
        ),
        ("effect: write", "effect: writes", 3, "effect", "'writes' is not known", "'read', 'write'"),
        ("effect: write", "effect: write\neffect: read", 4, "effect", "there twice (first on line 3)", "remove one"),
        ("version: 1", "version: 2", 1, "version", "version 2 is not known", "version: 1"),
        ("version: 1", 'version: "1"', 1, "version", "version '1' is not known", "version: 1"),
        ("version: 1\n", "", 1, "version", "does not say its version", "version: 1"),
        ("tool: refund", "tool: refnd", 2, "tool", "named for 'refund'", "tool: refund"),
        ("tool: refund\n", "", 1, "tool", "named for 'refund'", "tool: refund"),
        ("id: small", "id: Small", 5, "rules.0.id", "'Small'", "matches"),
        ("id: large", "id: small", 4, "rules", "two rules are called 'small'", "id of its own"),
        ("agents: [support]\n    args: &", "agents: support\n    args: &", 7, "rules.0.agents", "a list", "[support]"),
        ("    reason: small\n", "", 5, "rules.0.reason", "the key is missing", "reason"),
        ("le: 50}", "le: -1}", 10, "rules.0.args.amount", "the range is empty", "lower bound"),
        ("le: 50}", "le: lots}", 10, "rules.0.args.amount.le", "'lots'", "correct"),
        ("le: 50}", "le: .nan}", 10, "rules.0.args.amount.le", "finite", "correct"),
        ("O-[0-9]+", "O-[0-9", 9, "rules.0.args.order", "does not compile", "correct"),
        ("after: [{tool: lookup, same: [order]}]", "after: yes", 11, "rules.0.after", "a list", "brackets"),
        ("rules:", "sandbox: {limits: {memory: lots}}\nrules:", 4, "sandbox.limits.memory", "not a size", "128Mi"),
        ("rules:", "sandbox: {limits: {time: 5}}\non: 1\nrules:", 5, None, "'on' is no text", '"on"'),
        (
            "rules:",
            "tests: [{agent: a, expect: deny, after: [{tol: x}]}]\nrules:",
            4,
            "tests.0.after.0.tol",
            "tol",
            "tool",
        ),
    ],
)
def test_what_is_wrong_is_told_with_line_key_and_fix(
    tmp_path: Path, old: str, new: str, line: int, key: str | None, says: str, fix: str
) -> None:
    assert old in GOOD
    error = refused(tmp_path, GOOD.replace(old, new, 1))
    assert (error.line, error.key) == (line, key)
    assert says in error.message or says in str(error)
    assert fix in (error.fix or "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("- a\n- b\n", "this is a list"),
        ("just text\n", "this is text"),
        ("version: 1\n  tool: x: y\n", "not valid YAML"),
        ("version: [1\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("version: 1\ntool: &a [*a]\n", "unfolds into too much"),
        ("version: 1\ntool: *nothing\n", "not valid YAML"),
        ("version: 1\ntool: !!python/object/apply:os.system [ls]\n", "tag"),
        ("version: 1\ntool: !!python/name:os.system x\n", "cannot be read"),
        ("version: 1\n2: x\n", "is no text"),
        ("version: 1\n? [a]\n: x\n", "is no text"),
        ("version: 1\ntool: 2024-99-99\n", "cannot be read"),
        (f"version: 1\ntool: {'9' * 5000}\n", "cannot be read"),
        ("version: 1\n<<: 5\n", "<< needs a mapping"),
        ("a: " * 2000, "YAML"),
        ("[" * 5000, "not valid YAML"),
        ("# " + "x" * 300_000, "bytes"),
    ],
)
def test_what_is_no_policy_at_all(tmp_path: Path, text: str, says: str) -> None:
    assert says in str(refused(tmp_path, text))


def test_aliases_that_multiply_are_stopped(tmp_path: Path) -> None:
    lines = ["version: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert "unfolds into too much" in str(refused(tmp_path, "\n".join(lines)))


def test_a_file_that_is_not_text_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "refund.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not UTF-8"):
        load_policy(tmp_path / "refund.yaml")
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        load_policy(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("sandbox", "key", "says"),
    [
        ("files: {read: [/]}", "sandbox.files.read.0", "too wide"),
        ("files: {read: [data, '*']}", "sandbox.files.read.1", "too wide"),
        ("files: {read: ['.']}", "sandbox.files.read.0", "too wide"),
        ("files: {read: ['']}", "sandbox.files.read.0", "too wide"),
        ("files: {read: ['data/**']}", "sandbox.files.read.0", "too wide"),
        ("files: {read: [/etc/passwd]}", "sandbox.files.read.0", "not relative"),
        ("files: {read: ['~/.ssh']}", "sandbox.files.read.0", "not relative"),
        ("files: {write: [data/../../x]}", "sandbox.files.write.0", "leads out"),
        ("files: {read: [.bailiwick/state.db]}", "sandbox.files.read.0", "relies on"),
        ("files: {write: [policies]}", "sandbox.files.write.0", "give itself permissions"),
        ("files: {write: [./tools/x.py]}", "sandbox.files.write.0", "give itself permissions"),
        ("network: {allow: ['*:443']}", "sandbox.network.allow.0", "too wide"),
        ("network: {allow: ['*.example:443']}", "sandbox.network.allow.0", "too wide"),
        ("network: {allow: [api.example]}", "sandbox.network.allow.0", "no host with a port"),
        ("network: {allow: ['api.example:99999']}", "sandbox.network.allow.0", "no host with a port"),
        ("network: {allow: ['https://api.example:443']}", "sandbox.network.allow.0", "no host with a port"),
        ("requirements: ['-e .']", "sandbox.requirements.0", "-e ."),
        ("secrets: ['A B']", "sandbox.secrets.0", "A B"),
    ],
)
def test_what_is_too_wide_for_any_tool(tmp_path: Path, sandbox: str, key: str, says: str) -> None:
    error = refused(tmp_path, f"version: 1\ntool: refund\nsandbox: {{{sandbox}}}\n")
    assert (error.line, error.key) == (3, key)
    assert says in error.message


@pytest.mark.parametrize("held", ["network: {allow: ['api.example:443']}", "secrets: [KEY]"])
def test_code_that_is_handed_in_may_have_neither_network_nor_secrets(tmp_path: Path, held: str) -> None:
    error = refused(tmp_path, f"version: 1\ntool: refund\neffect: exec\nsandbox: {{{held}}}\n")
    assert "a tool that runs code it is given" in error.message
    loaded = load_policy(write(tmp_path, f"version: 1\ntool: refund\neffect: egress\nsandbox: {{{held}}}\n"))
    assert loaded.policy.effect == "egress"


@pytest.mark.parametrize("reference", ["$sesion.user_id", "$user_id", "$session.", "$session.user.id", "$session.a-b"])
def test_a_reference_that_names_nothing_is_refused(tmp_path: Path, reference: str) -> None:
    text = GOOD.replace('regex: "O-[0-9]+"', f'equals: "{reference}"')
    error = refused(tmp_path, text)
    assert error.key == "rules.0.args.order.equals"
    assert "names no value of the session" in error.message


def test_a_folder_is_keyed_by_tool_and_checked_across_files(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "version: 1\ntool: lookup\n", "lookup")
    (tmp_path / ".hidden.yaml").write_text("no: policy")
    (tmp_path / "README.md").write_text("about")
    loaded = load_policies(tmp_path)
    assert list(loaded) == ["lookup", "refund"]
    assert all(isinstance(each, LoadedPolicy) for each in loaded.values())

    (tmp_path / "lookup.yaml").unlink()
    write(tmp_path, "version: 1\ntool: look_up\n", "look_up")
    with pytest.raises(
        PolicyError, match=r"refund\.yaml:11: rules\.0\.after\.0\.tool: there is no policy for 'lookup'"
    ):
        load_policies(tmp_path)


def test_a_policy_under_another_ending_is_not_silently_left_out(tmp_path: Path) -> None:
    (tmp_path / "refund.yml").write_text(GOOD)
    with pytest.raises(PolicyError, match=r"rename it to refund\.yaml"):
        load_policies(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no such folder"):
        load_policies(tmp_path / "nowhere")


def test_the_desks_own_policies_load() -> None:
    loaded = load_policies(Path(__file__).parents[2] / "policies")
    assert {"lookup_order", "refund_order", "run_python"} <= set(loaded)
