"""The page of attacks in the docs is the suite that runs."""

from __future__ import annotations

import re
from pathlib import Path

from bailiwick.sandbox.contract import ATTACKS
from bailiwick.sandbox.contract.table import attacks_table

PAGE = Path(__file__).resolve().parents[2] / "docs/attacks.md"


def test_the_page_shows_every_attack_as_it_is() -> None:
    assert attacks_table() in PAGE.read_text(), "paste what `python -m bailiwick.sandbox.contract.table` prints"


def test_known_escapes_are_named_by_their_numbers() -> None:
    for attack in ATTACKS:
        for cve in attack.cves:
            assert re.fullmatch(r"CVE-\d{4}-\d{4,5}", cve), attack.name
