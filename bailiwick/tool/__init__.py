"""What a tool is: its definition, and how a typed function becomes one."""

from __future__ import annotations

from bailiwick.tool.definition import ToolDefinition, file_digest
from bailiwick.tool.from_function import describe_function

__all__ = ["ToolDefinition", "describe_function", "file_digest"]
