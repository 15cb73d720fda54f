"""``bailiwick policy simulate``: recorded calls, decided again under other policies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, told_errors
from bailiwick.cli.recorded_calls import (
    FromFile,
    FromPhoenix,
    ProjectName,
    Since,
    call_in_words,
    recorded_conversations,
)

if TYPE_CHECKING:
    from bailiwick.gate import Verdict
    from bailiwick.replay.recorded import RecordedCall
    from bailiwick.replay.simulation import Changed, Simulated, Untold

__all__ = ["simulate"]

_RECORD = "recorded"
_COLOR = {"allow": "green", "ask": "yellow", "deny": "red"}


def simulate(
    old: Annotated[
        str, typer.Argument(help="What to compare with: a folder, a file or git:REF; else what was recorded.")
    ] = _RECORD,
    new: Annotated[
        str, typer.Argument(help="A folder, a file or git:REF; the project's policies when not given.")
    ] = "",
    from_file: FromFile = None,
    phoenix: FromPhoenix = None,
    project_name: ProjectName = None,
    since: Since = "7d",
    session: Annotated[
        str, typer.Option(help='Values of the session that the record does not have, as a JSON object: {"user_id": …}.')
    ] = "{}",
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit 1 when a call would be decided otherwise.")
    ] = False,
    project: ProjectFolder = None,
    as_json: AsJson = False,
) -> None:
    """Decide on every recorded call again, and list those that come out otherwise. Nothing is called.

    A call that the new policies deny did not happen for those after it. What the record does not have is not made up:
    where it matters the call is listed as one of which it cannot be told.
    """
    given = _json_object(session)
    with told_errors():
        from bailiwick.cli.policy_versions import policies_in
        from bailiwick.project import Layout, find_root
        from bailiwick.replay.simulation import simulate as simulated

        layout = Layout(root=find_root(project))
        after = policies_in(new, project)
        before = None if old == _RECORD else policies_in(old, project)
        conversations = recorded_conversations(layout, from_file, phoenix, project_name, since)
        found = simulated(conversations, after, old=before, session=given)
    if as_json:
        sys.stdout.write(json.dumps(_document(found), ensure_ascii=False, default=str) + "\n")
    else:
        _show(found, layout.root)
    if fail_on_change and found.changed:
        raise typer.Exit(1)


def _document(found: Simulated) -> dict[str, Any]:
    """``{"calls", "changed", "untold", "unchanged"}``."""
    return {
        "calls": found.calls,
        "changed": [
            {
                **_call(each.call),
                "before": _before(each),
                "after": {**_decided(each.after), "reason": each.after.reason, "where": each.after.where},
            }
            for each in found.changed
        ],
        "untold": [{**_call(each.call), "why": each.why} for each in found.untold],
        "unchanged": found.unchanged,
    }


def _call(call: RecordedCall) -> dict[str, Any]:
    return {
        "tool": call.tool,
        "args": dict(call.args),
        "agent": call.agent,
        "thread": call.thread,
        "trace": call.trace,
        "span": call.span,
    }


def _before(changed: Changed) -> dict[str, Any]:
    if changed.before is not None:
        return _decided(changed.before)
    call = changed.call
    return {"decision": call.decision, "rule": call.rule or None, "key": call.key}


def _decided(verdict: Verdict) -> dict[str, Any]:
    return {"decision": verdict.decision, "rule": verdict.rule, "key": getattr(verdict, "key", "")}


def _show(found: Simulated, root: Path) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for each in found.changed:
        was, now = _before(each), each.after
        console.print(
            f"[{_COLOR.get(was['decision'], 'dim')}]{was['decision']}[/] → [{_COLOR[now.decision]}]{now.decision}[/]  "
            f"{escape(call_in_words(each.call))}"
        )
        by = ", ".join(filter(None, (was["rule"], was["key"]))) or "no rule"
        near = now.where.removeprefix(f"{root}/")
        where = f" ({near})" if near else ""
        console.print(f"    before: {escape(by)}", style="dim")
        console.print(f"    after:  {escape(_by(now))}{escape(now.reason)}{escape(where)}")
        console.print(f"    {escape(_place(each.call))}", style="dim")
    for each in found.untold:
        _show_untold(console, each)
    console.print(
        f"{found.calls} calls: {len(found.changed)} decided otherwise, {found.unchanged} as before, "
        f"of {len(found.untold)} it cannot be told"
    )


def _show_untold(console: Any, each: Untold) -> None:
    from rich.markup import escape

    console.print(f"[yellow]cannot be told[/]  {escape(call_in_words(each.call))}")
    console.print(f"    {escape(each.why)}")
    console.print(f"    {escape(_place(each.call))}", style="dim")


def _by(verdict: Verdict) -> str:
    return f"{verdict.rule}: " if verdict.rule and verdict.rule not in verdict.reason else ""


def _place(call: RecordedCall) -> str:
    parts = [("thread", call.thread), ("trace", call.trace), ("span", call.span)]
    return ", ".join(f"{name} {value}" for name, value in parts if value)


def _json_object(text: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"this is no JSON: {error}", param_hint="--session") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('a JSON object is needed, such as {"user_id": "C-1001"}', param_hint="--session")
    return found  # pyright: ignore[reportUnknownVariableType]  JSON's keys are text
