"""All attacks as a Markdown table, as docs/attacks.md shows it: ``python -m bailiwick.sandbox.contract.table``."""

from __future__ import annotations

import sys

from bailiwick.sandbox.contract.attacks import ATTACKS

__all__ = ["attacks_table"]


def attacks_table() -> str:
    """A row for each attack: its name, what is tried, what is promised, which escapes were of the same kind."""
    rows = [
        "| attack | what a hostile tool tries | what the sandbox promises | known escapes of the kind |",
        "|---|---|---|---|",
    ]
    rows += [f"| `{each.name}` | {each.tried} | {each.promise} | {', '.join(each.cves)} |" for each in ATTACKS]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(attacks_table())
