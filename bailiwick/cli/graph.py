"""``bailiwick graph AGENT``: how an agent thinks, as a picture, drawn on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from bailiwick.cli.options import AgentName, ProjectFolder, told_errors

__all__ = ["graph"]

Format = Literal["mermaid", "svg", "png"]
_ENDINGS: dict[str, Format] = {".svg": "svg", ".png": "png", ".mmd": "mermaid", ".md": "mermaid", ".txt": "mermaid"}


def graph(
    agent: AgentName,
    kind: Annotated[
        Format | None, typer.Option("--format", help="What to draw; when not given, as the file ends, else mermaid.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; standard output when not given.")] = None,
    project: ProjectFolder = None,
) -> None:
    """Draw an agent's graph. Nothing of it runs: it needs no model, no key, no sandbox and no network."""
    wanted = kind or _ENDINGS.get(output.suffix.lower() if output else "", "mermaid")
    with told_errors():
        from bailiwick.errors import InputRefused
        from bailiwick.graph.picture import mermaid_text, png_picture, svg_picture
        from bailiwick.project import find_root
        from bailiwick.project.drawing import graph_to_look_at
        from bailiwick.project.layout import Layout

        if wanted == "png" and output is None and sys.stdout.isatty():
            raise InputRefused("a PNG is no text for a terminal", fix=f"name a file: --output {agent}.png")
        text = mermaid_text(graph_to_look_at(Layout(root=find_root(project)), agent))
        drawn = {
            "mermaid": lambda: text.encode(),
            "svg": lambda: svg_picture(text).encode(),
            "png": lambda: png_picture(text),
        }[wanted]()
        if output is None:
            sys.stdout.buffer.write(drawn)
            sys.stdout.flush()
            return
        try:
            output.write_bytes(drawn)
        except OSError as error:
            raise InputRefused(f"{output} cannot be written: {error.strerror}", fix="name another file") from error
