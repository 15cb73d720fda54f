"""What ``bailiwick doctor`` says of Phoenix."""

from __future__ import annotations

from dataclasses import dataclass

from bailiwick.tracing.phoenix_http import PhoenixHttp
from bailiwick.tracing.phoenix_server import INSTALL, installed_version, phoenix_endpoint

__all__ = ["PhoenixFinding", "diagnose_phoenix"]


@dataclass(frozen=True, kw_only=True)
class PhoenixFinding:
    """One thing that was looked at. Empty ``fix``: there is nothing to do."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def diagnose_phoenix() -> list[PhoenixFinding]:
    """Whether Phoenix is installed here, and whether one answers where spans go."""
    return [_installed(), _answering()]


def _installed() -> PhoenixFinding:
    version = installed_version()
    if version is None:
        return PhoenixFinding(name="phoenix", ok=False, detail="the server is not installed here", fix=INSTALL)
    return PhoenixFinding(name="phoenix", ok=True, detail=f"arize-phoenix {version} is installed")


def _answering() -> PhoenixFinding:
    endpoint = phoenix_endpoint()
    phoenix = PhoenixHttp(endpoint, timeout=2.0)
    found = phoenix.version()
    phoenix.close()
    name = "traces"
    match found:
        case None:
            return PhoenixFinding(
                name=name,
                ok=False,
                detail=f"no Phoenix answers at {endpoint}; spans wait in .bailiwick/spool until one does",
                fix="bailiwick up, or set PHOENIX_COLLECTOR_ENDPOINT",
            )
        case "":
            return PhoenixFinding(
                name=name,
                ok=False,
                detail=f"something that is not Phoenix answers at {endpoint}",
                fix="set PHOENIX_COLLECTOR_ENDPOINT to your Phoenix",
            )
        case _:
            return PhoenixFinding(name=name, ok=True, detail=f"Phoenix {found} answers at {endpoint}")
