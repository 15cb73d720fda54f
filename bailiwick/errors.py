"""The error tree.

    BailiwickError
    ├── ConfigError             a file of the project is wrong; names file, key and fix
    │   ├── PolicyError         a policy file is wrong
    │   ├── ToolDefinitionError a file under tools/ is wrong
    │   ├── UnknownAgent        an agent is asked for that the project does not have
    │   └── EmbedderMismatch    the index was made by another embedder
    ├── ThreadBusy              another turn of the same conversation is running
    ├── GraphLimit              a graph went round until its limit of steps
    ├── InputRefused            what a person sent is empty, too large or not text
    ├── DeadlineExceeded        the time given to a turn or a call is used up
    ├── SandboxError
    │   ├── SandboxUnavailable  no sandbox is here that could run this tool
    │   ├── SandboxRefused      the sandbox here cannot hold what the policy demands
    │   └── SandboxFailed       the sandbox broke before the call had an outcome
    │       ├── AttestationFailed  a container is not what its policy compiles to
    │       └── PoolExhausted   no container became free in time
    ├── OutcomeUnknown          a side effect may or may not have happened
    ├── DocumentError           a document cannot be parsed; ingestion goes on without it
    ├── RetrievalUnavailable    neither the vector index nor the keyword index answers
    ├── KnowledgeBusy           somebody else is writing to the knowledge
    ├── KnowledgeBroken         the knowledge does not hold what it says it holds
    ├── EmbedderUnavailable     the embedder does not answer, however patiently it is asked
    ├── ModelError
    │   ├── ModelNotConfigured  the model's name, package or key is missing
    │   ├── ModelUnavailable    the model did not answer, retries included
    │   ├── ModelRequestForbidden  a test was about to reach a real model
    │   ├── PromptTooLarge      the prompt is larger than the model takes
    │   └── CassetteMiss        a recorded model was asked for what was not recorded
    └── TracingError            Phoenix cannot be started or read back

A tool that fails is not an error of this tree: its failure is a value (``sandbox.Result``), a message the model
reads, and a span. A denial is a value too (``gate.Deny``).
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AttestationFailed",
    "BailiwickError",
    "CassetteMiss",
    "ConfigError",
    "DeadlineExceeded",
    "DocumentError",
    "EmbedderMismatch",
    "EmbedderUnavailable",
    "GraphLimit",
    "InputRefused",
    "KnowledgeBroken",
    "KnowledgeBusy",
    "ModelError",
    "ModelNotConfigured",
    "ModelRequestForbidden",
    "ModelUnavailable",
    "OutcomeUnknown",
    "PolicyError",
    "PoolExhausted",
    "PromptTooLarge",
    "RetrievalUnavailable",
    "SandboxError",
    "SandboxFailed",
    "SandboxRefused",
    "SandboxUnavailable",
    "ThreadBusy",
    "ToolDefinitionError",
    "TracingError",
    "UnknownAgent",
]


class BailiwickError(Exception):
    """Raised as one of its subclasses only; catch it to catch everything that is ours."""

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        self.message = message
        self.fix = fix
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)


class ConfigError(BailiwickError):
    """Raised when a file of the project is wrong: names the file, the line and key where known, and the fix."""

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = message
        """What is wrong, without its place; ``message`` has both."""
        self.file = str(file) if file is not None else None
        self.line = line
        self.key = key
        where = self.file or ""
        if where and line is not None:
            where += f":{line}"
        parts = [part for part in (where, key, message) if part]
        super().__init__(": ".join(parts), fix=fix)


class PolicyError(ConfigError):
    """Raised when a policy file cannot be read, has a wrong key or value, or does not fit its tool."""


class ToolDefinitionError(ConfigError):
    """Raised when a file under tools/ cannot be loaded in its sandbox or declares a tool wrongly."""


class UnknownAgent(ConfigError):
    """Raised when an agent is asked for by a name that agents/ does not have."""


class EmbedderMismatch(ConfigError):
    """Raised when the vector index was made by another embedder than the one configured now."""


class InputRefused(BailiwickError):
    """Raised when a question is empty, too large or not text; nothing of it was stored."""


class ThreadBusy(BailiwickError):
    """Raised when another turn of the same conversation did not end in time; nothing of this one was stored."""


class GraphLimit(BailiwickError):
    """Raised inside a turn whose graph did not end within its limit of steps; the turn ends with what it has."""


class DeadlineExceeded(BailiwickError):
    """Raised when the time given to a turn, a search or a call is used up."""


class SandboxError(BailiwickError):
    """Raised as one of its subclasses when a tool could not be run in a sandbox; it was then not run at all."""


class SandboxUnavailable(SandboxError):
    """Raised when neither a Docker Engine nor bubblewrap is here; without a sandbox nothing runs."""


class SandboxRefused(SandboxError):
    """Raised when the policy demands what this sandbox cannot hold; the tool does not run under less."""


class SandboxFailed(SandboxError):
    """Raised when the sandbox itself broke before or during a call, so that its outcome may be unknown."""


class AttestationFailed(SandboxFailed):
    """Raised when a container's own report differs from what its policy compiles to; it was destroyed unused."""


class PoolExhausted(SandboxFailed):
    """Raised when every container that may run at once was in use until the deadline; the call did not begin."""


class OutcomeUnknown(BailiwickError):
    """Raised when a call with a side effect was begun and nobody knows whether it happened."""


class DocumentError(BailiwickError):
    """Raised when one document cannot be parsed; it becomes a dead letter and the others go on."""


class RetrievalUnavailable(BailiwickError):
    """Raised when neither the vector index nor the keyword index answers within the deadline."""


class KnowledgeBusy(BailiwickError):
    """Raised when another ingestion writes to the same knowledge; nothing was changed."""


class KnowledgeBroken(BailiwickError):
    """Raised when the vector index was found not to hold what it should and could not be made anew."""


class EmbedderUnavailable(BailiwickError):
    """Raised when the embedder does not answer, refuses the key or the address; what was embedded before is kept."""


class ModelError(BailiwickError):
    """Raised as one of its subclasses when the model did not give a message."""


class ModelNotConfigured(ModelError):
    """Raised when a model's name is unknown, or its package or key is missing."""


class ModelRequestForbidden(ModelError):
    """Raised under ``bailiwick.testing.forbid_model_requests`` in place of a request to a real model."""


class ModelUnavailable(ModelError):
    """Raised when a model did not answer, after the retries that were worth making."""


class PromptTooLarge(ModelError):
    """Raised before sending, when a prompt is larger than the model's window."""


class CassetteMiss(ModelError, AssertionError):
    """Raised when a recorded model is asked for something that was not recorded; to pytest a failed assertion."""


class TracingError(BailiwickError):
    """Raised when Phoenix cannot be started or read back; a turn never raises it."""
