"""The JSON Schema of a policy's file, for editors: made from the model, with the model's own words as descriptions."""

from __future__ import annotations

import ast
import inspect
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from bailiwick.policy.model import Policy
from bailiwick.policy.quantity import parse_bytes, parse_duration

__all__ = ["SCHEMA_URL", "policy_schema"]

SCHEMA_URL = "https://bailiwick.readthedocs.io/schemas/policy.schema.json"
"""Where editors find it; ``policies/*.yaml`` name it in their first line."""

_AS_TEXT: dict[object, JsonSchemaValue] = {
    parse_bytes: {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|K|M|G)?$", "examples": ["64Ki", "128Mi", "1Gi"]},
        ]
    },
    parse_duration: {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "pattern": r"^[0-9]+([.][0-9]+)?(ms|s|m|h|d)$", "examples": ["500ms", "5s", "15m"]},
        ]
    },
}


def policy_schema() -> dict[str, Any]:
    """The schema that a policy's file has to fit. What fits may still be refused: it cannot say everything."""
    made = Policy.model_json_schema(schema_generator=_Described)
    # In a file both have to be written; in code the decorated function gives the name.
    made["required"] = ["version", "tool"]
    endpoint = made["$defs"].get("Endpoint")
    if endpoint is not None:
        text = {"type": "string", "pattern": "^[^*]+:[0-9]{1,5}$", "examples": ["api.example:443"]}
        made["$defs"]["Endpoint"] = {"anyOf": [text, endpoint], "description": endpoint.pop("description", "")}
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": SCHEMA_URL, "title": "The policy of a tool"}
    return {**head, **made}


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        if "description" in made:
            made["description"] = _on_one_line(made["description"])
        for name, words in _words_below_fields(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", words)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # an editor shows the key itself

    def encode_default(self, dft: Any) -> Any:
        return f"{dft.total_seconds():g}s" if isinstance(dft, timedelta) else super().encode_default(dft)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        return _AS_TEXT.get(schema["function"]["function"]) or super().function_before_schema(schema)


def _on_one_line(text: str) -> str:
    paragraphs = text.replace("``", "`").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


def _words_below_fields(model: type[BaseModel]) -> dict[str, str]:
    """What is written in quotes below a field. Python keeps no such text, so it is read off the source."""
    tree = ast.parse(inspect.getsource(model))
    declared = tree.body[0]
    if not isinstance(declared, ast.ClassDef):
        return {}
    found: dict[str, str] = {}
    for field, below in zip(declared.body, declared.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = _on_one_line(inspect.cleandoc(text))
            case _:
                pass
    return found
