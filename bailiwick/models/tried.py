"""What was tried on the way to a model's answer, to be told afterwards."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Tried"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One attempt, or one model passed over. Empty ``failure``: it answered."""

    model: str
    attempt: int
    """From 1; 0: it was not asked."""
    seconds: float
    failure: str = ""

    def in_words(self) -> str:
        """``gpt-5, attempt 2, after 1.3 s: InternalServerError: 503``."""
        asked = f", attempt {self.attempt}" if self.attempt else ", not asked"
        return f"{self.model}{asked}, after {self.seconds:.1f} s: {self.failure or 'it answered'}"
