"""The obvious is taken out, and nothing else is."""

from __future__ import annotations

import pytest

from bailiwick.tracing.redaction import redacted_text


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("write to ada.l+shop@mail.example.com.", "write to [e-mail]."),
        ("card 4111-1111-1111-1111, please", "card [card number], please"),
        ('{"card": "5500000000000004"}', '{"card": "[card number]"}'),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: [secret]"),
        ("key sk-proj-abcdefghijklmnop", "key [secret]"),
    ],
)
def test_is_taken_out(text: str, after: str) -> None:
    assert redacted_text(text) == after


@pytest.mark.parametrize(
    "text",
    [
        "order ORD-000001 of 2026-11-25 for 49.90",
        "4111 1111 1111 1112 is no card number: its check digit is wrong",
        "sha256:4111111111111111aaaa and 00-41111111111111114111111111111111-01",
        "user@host is no address, nor is @decorator",
        "a risk-free trial",
    ],
)
def test_is_left_alone(text: str) -> None:
    assert redacted_text(text) == text
