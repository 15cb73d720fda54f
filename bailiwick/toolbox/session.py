"""Who is speaking, as the application bound it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

__all__ = ["Session", "session_values"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """LangGraph's ``context`` for Bailiwick's graphs: who is speaking. Empty: nobody, which equals no one.

    It is bound by the application on every run, never taken from the model or from the client's input.
    """

    user_id: str | None = None
    email: str | None = None
    roles: tuple[str, ...] = ()
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """More values for policies to compare with, as ``$session.NAME``."""


def session_values(context: object) -> Mapping[str, Any]:
    """The values policies see, from whatever a graph's context is: ours, a mapping, a dataclass or a pydantic model."""
    match context:
        case Session():
            own = {"user_id": context.user_id, "email": context.email, "roles": list(context.roles)}
            return {**context.values, **{name: value for name, value in own.items() if value is not None}}
        case Mapping():
            return dict(cast("Mapping[str, Any]", context))
        case BaseModel():
            return context.model_dump()
        case _ if dataclasses.is_dataclass(context) and not isinstance(context, type):
            return dataclasses.asdict(context)
        case _:
            return {}
