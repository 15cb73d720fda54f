"""Images by digest: our own ``python``, imported from the tree, and whatever else the user has in the engine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bailiwick.errors import SandboxRefused
from bailiwick.sandbox.docker.client import EngineClient, ImageNotFound
from bailiwick.sandbox.image import python_tree, runner_folder, write_archive

__all__ = ["Image", "ensure_python_image", "find_image"]

_REPOSITORY = "bailiwick/python"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image by digest. ``runner`` None: the runner is in it."""

    digest: str
    python: str
    runner: Path | None = None


def ensure_python_image(client: EngineClient, on_progress: Callable[[str], None] | None = None) -> Image:
    """The image made from this host's interpreter, imported where the engine does not have it."""
    tree = python_tree(on_progress)
    tag = f"{_REPOSITORY}:{tree.key}"
    try:
        digest = str(client.inspect_image(tag)["Id"])
    except ImageNotFound:
        if on_progress is not None:
            on_progress("handing the sandbox's image to Docker (once)")
        with tempfile.TemporaryFile(suffix=".tar") as file:  # without a name: a host that is killed here leaves nothing
            write_archive(tree.root, file)
            file.seek(0)
            # Name and tag in one: Podman drops a tag that is given by itself.
            client.import_image_from_data(file, repository=tag)
        digest = str(client.inspect_image(tag)["Id"])
    return Image(digest=digest, python=tree.python)


def find_image(client: EngineClient, name: str) -> Image:
    """An image of the user's. Raises SandboxRefused when the engine does not have it: nothing is pulled in a call."""
    try:
        digest = str(client.inspect_image(name)["Id"])
    except ImageNotFound:
        raise SandboxRefused(
            f"sandbox.image: the engine has no image {name!r}",
            fix=f"docker pull {name}, or build it; it needs python3 (3.10 or later) in its PATH",
        ) from None
    return Image(digest=digest, python="python3", runner=runner_folder())
