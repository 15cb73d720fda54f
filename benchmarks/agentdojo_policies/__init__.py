"""Policies for the tools of two suites of AgentDojo, and which of the tools a turn offers; see README.md."""

from __future__ import annotations
