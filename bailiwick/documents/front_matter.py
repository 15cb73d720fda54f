"""What a markdown file says about itself in YAML between two lines of three dashes at its beginning."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, cast

from bailiwick.documents.section import Fact
from bailiwick.errors import DocumentError

__all__ = ["facts_of", "front_matter"]

_BLOCK = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)


def front_matter(text: str) -> tuple[dict[str, Fact], str]:
    """The facts, and the text with that block blanked out, so that offsets still count in the file as it is.

    Raises DocumentError for a block that is no YAML. A block that is no mapping is text like any other.
    """
    found = _BLOCK.match(text)
    if found is None:
        return {}, text
    import yaml

    try:
        said: Any = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise DocumentError(f"its front matter is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(said, dict):
        return {}, text
    return facts_of(cast("Mapping[Any, Any]", said)), re.sub(r"[^\n]", " ", found[0]) + text[found.end() :]


def facts_of(said: Mapping[Any, Any]) -> dict[str, Fact]:
    """Numbers, texts, dates and lists of texts; what is nested deeper, or empty, is left out."""
    facts: dict[str, Fact] = {}
    for key, value in said.items():
        match value:
            case bool() | int() | float() | str() if value != "":
                facts[str(key)] = value
            case datetime.date():
                facts[str(key)] = value.isoformat()
            case list():
                several = [str(each) for each in cast("list[Any]", value) if isinstance(each, (str, int, float))]
                if several:
                    facts[str(key)] = several
            case _:
                pass
    return facts
