"""Chat models by name, asked under a deadline; and models that need no server."""

from bailiwick.models.function_model import FunctionModel, ModelFunction
from bailiwick.models.guard import ModelGuards, model_name
from bailiwick.models.limits import ModelLimits
from bailiwick.models.prompt_size import surely_within, tokens_of, window_size
from bailiwick.models.request import ModelAnswer, Models, request_answer
from bailiwick.models.resolve import configured_name, resolve_model
from bailiwick.models.scripted_model import ScriptedModel
from bailiwick.models.tried import Tried

__all__ = [
    "FunctionModel",
    "ModelAnswer",
    "ModelFunction",
    "ModelGuards",
    "ModelLimits",
    "Models",
    "ScriptedModel",
    "Tried",
    "configured_name",
    "model_name",
    "request_answer",
    "resolve_model",
    "surely_within",
    "tokens_of",
    "window_size",
]
