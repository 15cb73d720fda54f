"""``bailiwick policy``: what is wrong with policies, what would happen to a call, and what a change opens.

No sandbox is started and no model asked, so all of it may run in continuous integration.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, told_errors
from bailiwick.cli.policy_simulate import simulate
from bailiwick.cli.policy_suggest import suggest

if TYPE_CHECKING:
    from bailiwick.gate import PastCall
    from bailiwick.policy import LoadedPolicy
    from bailiwick.project import Layout

__all__ = ["policy"]

policy = typer.Typer(
    no_args_is_help=True, help="Check policies, explain and test decisions, compare versions, learn from calls."
)
for command in (suggest, simulate):
    policy.command()(command)


@policy.command()
def check(
    project: ProjectFolder = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List everything that is wrong with the project's policies; exit 1 when anything is."""
    with told_errors():
        from bailiwick.cli import policy_show
        from bailiwick.gate.declared_tools import declared_tools
        from bailiwick.gate.project_check import check_folder
        from bailiwick.project import agent_names

        layout = _layout(project)
        tools = declared_tools(layout.tools, cache=layout.described)
        policies, remarks = check_folder(layout.policies, tools=tools, agents=agent_names(layout))
    if as_json:
        _print_json(policy_show.check_document(policies, remarks))
    else:
        policy_show.show_check(policies, remarks, layout.root)
    if any(strict or remark.severity == "problem" for remark in remarks):
        raise typer.Exit(1)


@policy.command()
def explain(
    tool: Annotated[str, typer.Argument(help="The tool that would be called.")],
    agent: Annotated[str, typer.Option(help="The agent that would call it.")],
    args: Annotated[str, typer.Option(help="The arguments, as a JSON object.")] = "{}",
    session: Annotated[str, typer.Option(help='Who is speaking, as a JSON object: {"user_id": …}.')] = "{}",
    after: Annotated[
        list[str] | None, typer.Option(help="A call that came before and succeeded: TOOL:{…}, as often as needed.")
    ] = None,
    after_failed: Annotated[
        list[str] | None, typer.Option(help="A call that came before and failed: TOOL:{…}.")
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(help="What the user said before; arguments may come from it. As often as needed."),
    ] = None,
    result: Annotated[
        list[str] | None,
        typer.Option(help="What a tool gave before: TOOL:JSON, worth what its policy says. As often as needed."),
    ] = None,
    used_calls: Annotated[int, typer.Option(help="Calls that used up limits before.", min=0)] = 0,
    used_sum: Annotated[str, typer.Option(help="What was used of limits on sums before.")] = "0",
    untrusted: Annotated[
        bool, typer.Option("--untrusted", help="The conversation has read untrusted content.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say what would happen to a call, and of each rule which condition does not hold. Nothing is called."""
    call_args = _json_object(args, "--args")
    bound = _json_object(session, "--session")
    past = [_past(each, ok=True) for each in after or ()] + [_past(each, ok=False) for each in after_failed or ()]
    with told_errors():
        from bailiwick.cli import policy_show
        from bailiwick.cli.circumstances import origins_given, used_given
        from bailiwick.gate import Call, Context
        from bailiwick.gate.every_rule import explain as explain_call
        from bailiwick.project import agent_names

        layout = _layout(project)
        loaded = _policy_of(layout, tool)
        if agent not in (names := agent_names(layout)):
            sys.stderr.write(f"note: there is no agent {agent!r} (there are: {', '.join(names) or 'none'})\n")
        call = Call(id="explained", tool=tool, agent=agent, args=call_args)
        context = Context(
            session=bound,
            past=tuple(past),
            untrusted=("something untrusted",) if untrusted else (),
            origins=origins_given(layout.policies, user or (), result or (), bound),
            used=used_given(loaded, used_calls, used_sum),
        )
        explained = explain_call(call, loaded, context)
    if as_json:
        _print_json(policy_show.explain_document(call, explained))
    else:
        policy_show.show_explained(call, explained, layout.root)


@policy.command("test")
def run(project: ProjectFolder = None, as_json: AsJson = False) -> None:
    """Run the tests that the policies hold; exit 1 when one does not come out as its author expects."""
    with told_errors():
        from bailiwick.cli import policy_show
        from bailiwick.gate.inline_tests import run_tests
        from bailiwick.policy import load_policies

        layout = _layout(project)
        outcomes = {name: list(run_tests(loaded)) for name, loaded in load_policies(layout.policies).items()}
    if as_json:
        _print_json(policy_show.test_document(outcomes))
    else:
        policy_show.show_tests(outcomes, layout.root)
    if any(outcome.problem is not None for each in outcomes.values() for outcome in each):
        raise typer.Exit(1)


@policy.command()
def diff(
    old: Annotated[str, typer.Argument(help="A folder of policies, one file, or git:REF of the project's policies.")],
    new: Annotated[str, typer.Argument(help="A folder or a file; the project's policies when not given.")] = "",
    fail_on_wider: Annotated[
        bool, typer.Option("--fail-on-wider", help="Exit 1 when something became wider, or may have.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say what became allowed, asked about or denied between two versions of policies, and what sandboxes gained.

    A change counts as no wider only where that is proven; where it is not, it says "may be wider".
    """
    with told_errors():
        from bailiwick.cli import policy_show
        from bailiwick.cli.policy_versions import policies_in
        from bailiwick.gate.difference import folder_difference

        before = policies_in(old, project)
        after = policies_in(new, project)
        changes = folder_difference(before, after)
    if as_json:
        _print_json(policy_show.diff_document(changes))
    else:
        policy_show.show_diff(changes)
    if fail_on_wider and any(change.widens for change in changes):
        raise typer.Exit(1)


@policy.command()
def schema() -> None:
    """Print the JSON Schema of a policy's file, for editors."""
    from bailiwick.policy.json_schema import policy_schema

    sys.stdout.write(json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n")


def _layout(project: Path | None) -> Layout:
    from bailiwick.project import Layout, find_root

    return Layout(root=find_root(project))


def _policy_of(layout: Layout, tool: str) -> LoadedPolicy:
    from bailiwick.errors import PolicyError
    from bailiwick.policy import load_policy
    from bailiwick.policy.known_keys import nearest

    have = sorted(file.stem for file in layout.policies.glob("*.yaml"))
    if tool not in have:
        guess = nearest(tool, have)
        raise PolicyError(
            f"there is no policy for {tool!r}, so every call of it is denied (there are: {', '.join(have) or 'none'})",
            file=layout.policies,
            fix=f"did you mean {guess}?" if guess else "correct the name",
        )
    return load_policy(layout.policies / f"{tool}.yaml")


def _json_object(text: str, option: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"this is no JSON: {error}", param_hint=option) from None
    if not isinstance(found, dict):
        raise typer.BadParameter('a JSON object is needed, such as {"amount": 5}', param_hint=option)
    return found  # pyright: ignore[reportUnknownVariableType]  JSON's keys are text


def _past(text: str, *, ok: bool) -> PastCall:
    from bailiwick.gate import PastCall

    tool, _, args = text.partition(":")
    option = "--after" if ok else "--after-failed"
    return PastCall(tool=tool.strip(), args=_json_object(args or "{}", option), ok=ok)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
