"""For tests of agents, tools and policies: models and sandboxes that do as written, and no way to a real model."""

from bailiwick.models import FunctionModel, ScriptedModel
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.testing.forbid_requests import forbid_model_requests

__all__ = ["FunctionModel", "ScriptedModel", "ScriptedSandbox", "forbid_model_requests"]
