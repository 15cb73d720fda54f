"""A policy's own tests are run whenever it is bound to a tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from bailiwick.errors import PolicyError
from bailiwick.gate import check_tests
from bailiwick.policy import LoadedPolicy, load_policies, load_policy

POLICY = """version: 1
tool: refund
on_untrusted: deny
rules:
  - {id: small, decision: allow, agents: [any], args: {amount: {type: decimal, le: 50}}, reason: r}
  - id: large
    decision: ask
    agents: [any]
    args: {amount: {type: decimal, gt: 50, le: 500}}
    after: [{tool: refund, ok: false, same: [amount]}]
    reason: r
tests:
  - TEST
"""


def policy(folder: Path, test: str) -> LoadedPolicy:
    file = folder / "refund.yaml"
    file.write_text(POLICY.replace("TEST", test))
    return load_policy(file)


@pytest.mark.parametrize(
    "test",
    [
        "{agent: a, args: {amount: 5}, expect: allow, because: small}",
        "{agent: a, args: {amount: 5}, untrusted: true, expect: deny, because: on_untrusted}",
        "{agent: a, args: {amount: 501}, expect: deny, because: amount}",
        "{agent: a, args: {amount: x}, expect: deny, because: type}",
        "{agent: a, args: {amount: 300}, expect: deny, because: after}",
        "{agent: a, args: {amount: 60}, after: [{tool: refund, args: {amount: 60}, ok: false}], expect: ask}",
    ],
)
def test_one_that_comes_out_as_expected(tmp_path: Path, test: str) -> None:
    check_tests(policy(tmp_path, test))


@pytest.mark.parametrize(
    ("test", "key", "says"),
    [
        ("{agent: a, args: {amount: 51}, expect: allow}", "tests.0.expect", "expected allow, got deny by the rule"),
        (
            "{agent: a, args: {amount: 5}, expect: deny}",
            "tests.0.expect",
            "expected deny, got allow by the rule 'small'",
        ),
        ("{agent: a, args: {amount: 5}, expect: allow, because: large}", "tests.0.because", "because of 'large'"),
        ("{agent: a, args: {amount: 2024-01-01}, expect: allow}", "tests.0.expect", "which JSON does not have"),
    ],
)
def test_one_that_does_not_is_told_with_its_line(tmp_path: Path, test: str, key: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        check_tests(policy(tmp_path, test))
    assert (caught.value.key, caught.value.line) == (key, 13)
    assert says in caught.value.message


def test_the_desks_policies_pass_their_own(tmp_path: Path) -> None:
    for loaded in load_policies(Path(__file__).parents[2] / "policies").values():
        check_tests(loaded)
