"""Reads conversation.yaml: what customers of the shop write, in order, and what is meant to be seen in the answers."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

CONVERSATION = Path(__file__).with_name("conversation.yaml")


class Approver(BaseModel):
    """The person who answers what the policy asks."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    user_id: str
    roles: tuple[str, ...]
    decision: str = "approve"


class Message(BaseModel):
    """One message. Empty ``attach``: nothing comes with it. ``approver`` None: nobody is there to ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    customer: str
    says: str
    shows: str
    """What this message is in the demo for, in a few words."""
    attach: tuple[str, ...] = ()
    approver: Approver | None = None

    @property
    def text(self) -> str:
        return "\n".join([self.says, *(f"[attached: {name}]" for name in self.attach)])


def read_conversation(file: Path = CONVERSATION) -> list[Message]:
    return [Message.model_validate(entry) for entry in yaml.safe_load(file.read_text())]
