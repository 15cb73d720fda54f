"""For tests of agents, tools and policies: models and sandboxes that do as written, and no way to a real model."""

from bailiwick.models import FunctionModel, ScriptedModel
from bailiwick.sandbox import ScriptedSandbox
from bailiwick.testing.all_tools_model import AllToolsModel
from bailiwick.testing.cassette import Cassette
from bailiwick.testing.cassette_model import CassetteModel
from bailiwick.testing.example_value import example_value
from bailiwick.testing.forbid_requests import forbid_model_requests

__all__ = [
    "AllToolsModel",
    "Cassette",
    "CassetteModel",
    "FunctionModel",
    "ScriptedModel",
    "ScriptedSandbox",
    "example_value",
    "forbid_model_requests",
]
