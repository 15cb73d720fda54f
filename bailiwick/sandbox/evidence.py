"""What a container proved before it served, kept by digest: which spec, and its own report of what it can do.

Equal containers prove the same, so there is one file for each spec on a machine, not for each call.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bailiwick.errors import ConfigError
from bailiwick.sandbox.cache import cache_folder
from bailiwick.sandbox.spec import Spec

__all__ = ["keep_evidence", "read_evidence"]

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})")


def keep_evidence(spec: Spec, *, kind: str, image: str, report: Mapping[str, Any]) -> str:
    """Keep what was proved; its ``sha256:…``. A folder that cannot be written loses the file, never the digest."""
    # Which file stands at a mount is of this container and hour; the spec names the paths.
    mounts = {place: {k: v for k, v in each.items() if k != "file"} for place, each in report["mounts"].items()}
    told = {**report, "mounts": mounts}
    record = {"sandbox": kind, "image": image, "spec_digest": spec.digest, "spec": asdict(spec), "report": told}
    text = json.dumps(record, sort_keys=True, indent=1, default=str) + "\n"
    name = hashlib.sha256(text.encode()).hexdigest()
    with contextlib.suppress(OSError):
        _write(_folder() / f"{name}.json", text)
    return f"sha256:{name}"


def read_evidence(digest: str) -> dict[str, Any]:
    """The record with ``digest``, of which eight or more hex digits will do; checked against its name.

    Raises ConfigError when it is no digest, is not kept here, is meant by several, or was changed.
    """
    match = _DIGEST.fullmatch(digest.strip())
    if match is None:
        raise ConfigError(f"{digest!r} is no digest", fix="give bailiwick.sandbox.evidence of a span")
    found = sorted(_folder().glob(f"{match[1]}*.json"))
    if len(found) != 1:
        what = "is kept here" if not found else f"is meant: {', '.join(each.stem[:16] for each in found)}"
        raise ConfigError(
            f"{digest}: {'no such evidence' if not found else 'more than one'} {what}",
            fix=f"look into {_folder()}; evidence stays on the machine where the container ran",
        )
    text = found[0].read_text()
    if hashlib.sha256(text.encode()).hexdigest() != found[0].stem:
        raise ConfigError("this evidence was changed after it was kept", file=found[0], fix="do not trust it")
    return json.loads(text)


def _folder() -> Path:
    return cache_folder() / "evidence"


def _write(file: Path, text: str) -> None:
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, half = tempfile.mkstemp(prefix=".half-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
        Path(half).replace(file)
    except OSError:
        Path(half).unlink(missing_ok=True)
        raise
