"""What a model may be asked for, and how long and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from bailiwick.errors import ConfigError

__all__ = ["ModelLimits"]


@dataclass(frozen=True, kw_only=True)
class ModelLimits:
    """Limits on the requests of one process to one model, whichever agents make them; the tightest of theirs holds.

    Empty: no rate and no number at once is imposed, and the bounds on attempts and time are those below. Raises
    ConfigError for a number that makes no sense.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """Of prompts and answers together. What a prompt takes is estimated before it is sent, and set right after."""
    at_once: int | None = None
    """Requests under way at the same time."""
    attempts: int = 3
    """At one model in one request, the first included."""
    retry_share: float = 0.2
    """Retries for each request, on the whole, so that a model in trouble is not asked thrice as often."""
    seconds: float = 60.0
    """An attempt may take; never more than is left of the turn, of which models that follow get a share."""
    stall_seconds: float = 15.0
    """Silence after which an answer that has begun to stream has broken off."""
    failures_to_open: int = 5
    """In a row, after which the model is left alone for ``open_seconds``; then one request is let through to see."""
    open_seconds: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not value > 0 and not (field.name == "retry_share" and value == 0):
                raise ConfigError(
                    f"{value!r} is no limit",
                    key=f"limits.{field.name}",
                    fix="give a number above 0, or leave it out",
                )

    def tightest(self, other: ModelLimits) -> ModelLimits:
        """The smaller of each; None is no limit."""
        tightest: dict[str, Any] = {}
        for field in fields(self):
            given = [value for each in (self, other) if (value := getattr(each, field.name)) is not None]
            tightest[field.name] = min(given, default=None)
        return ModelLimits(**tightest)
