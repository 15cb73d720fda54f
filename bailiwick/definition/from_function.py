"""Describe a function of the host's own code; files under tools/ are described inside their sandbox instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from bailiwick.definition import describe
from bailiwick.errors import ToolDefinitionError

__all__ = ["describe_function"]


def describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    """``{name, description, parameters}`` of ``function``; raises ToolDefinitionError with file, line and fix."""
    try:
        return describe.describe_function(function)
    except describe.DescribeError as error:
        raise ToolDefinitionError(
            error.message, file=inspect.getsourcefile(function), line=error.line, fix=error.fix
        ) from None
