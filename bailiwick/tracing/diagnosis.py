"""What ``bailiwick doctor`` says of Phoenix."""

from __future__ import annotations

from bailiwick.finding import Finding
from bailiwick.tracing.phoenix_http import PhoenixHttp
from bailiwick.tracing.phoenix_server import INSTALL, installed_version, phoenix_endpoint

__all__ = ["diagnose_phoenix"]


def diagnose_phoenix() -> list[Finding]:
    """Whether Phoenix is installed here, and whether one answers where spans go."""
    return [_installed(), _answering()]


def _installed() -> Finding:
    version = installed_version()
    if version is None:
        return Finding(name="phoenix", ok=False, detail="the server is not installed here", fix=INSTALL)
    return Finding(name="phoenix", ok=True, detail=f"arize-phoenix {version} is installed")


def _answering() -> Finding:
    endpoint = phoenix_endpoint()
    phoenix = PhoenixHttp(endpoint, timeout=2.0)
    found = phoenix.version()
    phoenix.close()
    name = "traces"
    match found:
        case None:
            return Finding(
                name=name,
                ok=False,
                detail=f"no Phoenix answers at {endpoint}; spans wait in .bailiwick/spool until one does",
                fix="bailiwick up, or set PHOENIX_COLLECTOR_ENDPOINT",
            )
        case "":
            return Finding(
                name=name,
                ok=False,
                detail=f"something that is not Phoenix answers at {endpoint}",
                fix="set PHOENIX_COLLECTOR_ENDPOINT to your Phoenix",
            )
        case _:
            return Finding(name=name, ok=True, detail=f"Phoenix {found} answers at {endpoint}")
