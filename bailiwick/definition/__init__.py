"""What a tool is: its definition, and how a typed function becomes one."""

from __future__ import annotations

from bailiwick.definition.definition import ToolDefinition, file_digest
from bailiwick.definition.from_function import describe_function

__all__ = ["ToolDefinition", "describe_function", "file_digest"]
