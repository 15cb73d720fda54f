"""From a name such as ``openai:gpt-5`` to a chat model, with one clear error when something is missing."""

from __future__ import annotations

import os
from typing import Any, cast

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from bailiwick.errors import ModelError, ModelNotConfigured

__all__ = ["configured_name", "resolve_model"]

MODEL = "BAILIWICK_MODEL"
BASE_URL = "BAILIWICK_MODEL_BASE_URL"


def configured_name() -> str | None:
    """What ``BAILIWICK_MODEL`` names, or None."""
    return os.environ.get(MODEL, "").strip() or None


def resolve_model(name: str) -> BaseChatModel:
    """Any name LangChain's ``init_chat_model`` knows; ``BAILIWICK_MODEL_BASE_URL`` points it at another server.

    The provider's own retries are turned off, since ours wrap it and retries of retries multiply. Raises
    ModelNotConfigured when the provider is unknown, or its package or key is missing.
    """
    options: dict[str, Any] = {"max_retries": 0}
    if base_url := os.environ.get(BASE_URL, "").strip():
        options["base_url"] = base_url
        if name.startswith("openai:") and not os.environ.get("OPENAI_API_KEY"):
            # A server of one's own often wants no key, and the client will not be made without one.
            options["api_key"] = "none"
    try:
        model = cast("object", init_chat_model(name, **options))
    except ModelError:
        raise
    except ImportError as error:
        package = "bailiwick[openai]" if "langchain-openai" in str(error) else "the package that it names"
        raise ModelNotConfigured(
            f"the model {name!r} needs a package that is not installed: {error}",
            fix=f"uv pip install {package}",
        ) from error
    except Exception as error:
        # Each provider raises its own class for a missing key; all of them happen before anything is sent.
        raise ModelNotConfigured(
            f"the model {name!r} cannot be set up: {(str(error).splitlines() or [type(error).__name__])[0]}",
            fix=f"write {MODEL} as provider:model and set the provider's key, or unset it to use the offline rules",
        ) from error
    if not isinstance(model, BaseChatModel):
        raise ModelNotConfigured(f"{name!r} names no single model", fix=f"write {MODEL} as provider:model")
    return model
