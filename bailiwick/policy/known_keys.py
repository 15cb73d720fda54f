"""Which keys a policy may have at a place, read off the model; and those that a reader of other versions may expect."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from bailiwick.policy.model import Approval, ArgRule, Output, Policy, Rule

__all__ = ["keys_at", "nearest", "not_yet"]

_NOT_YET: dict[tuple[type[BaseModel], str], str] = {
    (ArgRule, "from"): "the provenance of arguments cannot be demanded in this version",
    (Rule, "limits"): "calls and sums over a time cannot be limited in this version",
    (Approval, "bind"): "there is nothing to choose: an approval always counts for the very arguments it was asked for",
    (Output, "untrusted_fields"): "trust is for the whole result in this version",
}


def keys_at(place: Sequence[str | int]) -> tuple[type[BaseModel] | None, list[str]]:
    """The model at ``place`` and its keys; None and nothing where keys are free."""
    at: Any = Policy
    for part in place:
        at = _step(at, part)
    model = _model_in(at)
    return model, list(model.model_fields) if model is not None else []


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known key that ``word`` is likely a misspelling of."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None


def not_yet(model: type[BaseModel] | None, key: str) -> str | None:
    """What to say of a key that is planned and that nothing would enforce now."""
    return _NOT_YET.get((model, key)) if model is not None else None


def _step(at: Any, part: str | int) -> Any:
    if (model := _model_in(at)) is not None and isinstance(part, str) and part in model.model_fields:
        return model.model_fields[part].annotation
    if typing.get_origin(at) in (tuple, list):
        return typing.get_args(at)[0] if isinstance(part, int) else None
    if typing.get_origin(at) is dict:
        return typing.get_args(at)[1]
    return None


def _model_in(at: Any) -> type[BaseModel] | None:
    return at if isinstance(at, type) and issubclass(at, BaseModel) else None
