"""Which keys a policy may have at a place, read off the model."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from bailiwick.policy.model import Policy

__all__ = ["keys_at", "nearest"]


def keys_at(place: Sequence[str | int]) -> tuple[type[BaseModel] | None, list[str]]:
    """The model at ``place`` and its keys; None and nothing where keys are free."""
    at: Any = Policy
    for part in place:
        at = _step(at, part)
    model = _model_in(at)
    return model, list(_annotations(model)) if model is not None else []


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known key that ``word`` is likely a misspelling of."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None


def _step(at: Any, part: str | int) -> Any:
    if (model := _model_in(at)) is not None and isinstance(part, str):
        return _annotations(model).get(part)
    if typing.get_origin(at) in (tuple, list):
        return typing.get_args(at)[0] if isinstance(part, int) else None
    if typing.get_origin(at) is dict:
        return typing.get_args(at)[1]
    return None


def _annotations(model: type[BaseModel]) -> dict[str, Any]:
    """By the keys as they are written in a file."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(at: Any) -> type[BaseModel] | None:
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None
