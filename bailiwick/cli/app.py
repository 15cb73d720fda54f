"""``bailiwick``: the commands, and how an error leaves the program.

Exit codes: 0 done, 1 it was tried and failed, 2 what was asked for is wrong (a file, a name, the input).
"""

from __future__ import annotations

import sys

import typer

from bailiwick.cli.ask import ask
from bailiwick.cli.chat import chat
from bailiwick.cli.doctor import doctor
from bailiwick.cli.graph import graph
from bailiwick.cli.ingest import ingest
from bailiwick.cli.knowledge import knowledge
from bailiwick.cli.policy import policy
from bailiwick.cli.prompts import prompts
from bailiwick.cli.sandbox import sandbox
from bailiwick.cli.up import up

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="LLM agents whose every tool call runs under a least-privilege policy in a sandbox, traced to Phoenix.",
)
for command in (up, ask, chat, ingest, graph, doctor):
    app.command()(command)
app.add_typer(policy, name="policy")
app.add_typer(sandbox, name="sandbox")
app.add_typer(prompts, name="prompts")
app.add_typer(knowledge, name="knowledge")


@app.command()
def version() -> None:
    """Print the version."""
    from bailiwick import __version__

    sys.stdout.write(f"bailiwick {__version__}\n")
