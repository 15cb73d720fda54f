"""What editors check a policy's file against is what the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bailiwick.policy.json_schema import SCHEMA_URL, policy_schema

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs/schemas/policy.schema.json"
SCHEMA = policy_schema()
FITS = Draft202012Validator(SCHEMA)


def policy(**more: Any) -> dict[str, Any]:
    return {"version": 1, "tool": "refund", **more}


def rule(**arg: Any) -> dict[str, Any]:
    return policy(rules=[{"id": "r", "decision": "allow", "args": {"amount": arg}, "reason": "r"}])


def test_the_published_schema_is_the_models() -> None:
    """Where this fails: ``bailiwick policy schema > docs/schemas/policy.schema.json``."""
    assert json.loads(PUBLISHED.read_text()) == SCHEMA


def test_it_is_a_schema_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_desks_policies_fit_and_name_it_in_their_first_line(file: Path) -> None:
    assert file.read_text().splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA_URL}"
    FITS.validate(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize(
    "fits",
    [
        policy(),
        rule(type="decimal", gt=0, le=50.5),
        rule(enum=["a", 1, True], optional=True),
        policy(sandbox={"limits": {"memory": "128Mi", "time": "500ms", "output": 65536}}),
    ],
)
def test_what_a_policy_may_be(fits: dict[str, Any]) -> None:
    FITS.validate(fits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tool": "refund"},
        {"version": 1},
        policy(version=2),
        policy(efect="read"),
        policy(effect="reads"),
        policy(tool="Refund"),
        rule(less=5),
        rule(type="text"),
        rule(max_length=-1),
        policy(rules=[{"id": "R", "decision": "allow", "reason": "r"}]),
        policy(rules=[{"id": "r", "decision": "allow"}]),
        policy(sandbox={"limits": {"memory": "lots"}}),
        policy(sandbox={"limits": {"time": "5 seconds"}}),
        policy(sandbox={"network": {"allow": ["*.example:443"]}}) if "Endpoint" in SCHEMA["$defs"] else policy(x=1),
    ],
)
def test_what_an_editor_marks(wrong: dict[str, Any]) -> None:
    assert list(FITS.iter_errors(wrong))


def test_keys_are_described_in_the_words_of_the_model() -> None:
    limits = SCHEMA["$defs"]["Limits"]["properties"]
    assert limits["memory"]["description"] == "Bytes, swap included."
    assert limits["time"]["default"] == "5s"
    assert "Absent is accepted only" in SCHEMA["$defs"]["ArgRule"]["properties"]["optional"]["description"]
    assert all("``" not in part.get("description", "") for part in SCHEMA["$defs"].values())
