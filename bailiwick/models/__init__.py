"""Chat models by name, asked under a deadline; and models that need no server."""

from bailiwick.models.function_model import FunctionModel, ModelFunction
from bailiwick.models.request import ModelAnswer, model_name, request_answer
from bailiwick.models.resolve import configured_name, resolve_model
from bailiwick.models.scripted_model import ScriptedModel

__all__ = [
    "FunctionModel",
    "ModelAnswer",
    "ModelFunction",
    "ScriptedModel",
    "configured_name",
    "model_name",
    "request_answer",
    "resolve_model",
]
