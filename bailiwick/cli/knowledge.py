"""``bailiwick knowledge``: what was taken in, looked at, searched, measured and mended."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bailiwick.cli.options import AsJson, ProjectFolder, Tenant, told_errors

if TYPE_CHECKING:
    from bailiwick.retrieval import Found, Knowledge

__all__ = ["knowledge"]

knowledge = typer.Typer(no_args_is_help=True, help="What the agents know: list, show, search, measure, mend.")

Question = Annotated[str, typer.Argument(help="What is asked.")]
Facts = Annotated[
    list[str] | None,
    typer.Option("--where", help="NAME=VALUE, NAME=A,B for either, NAME=FROM..TO for a range; several must all hold."),
]


@knowledge.command("list")
def list_documents(
    project: ProjectFolder = None,
    tenant: Tenant = "",
    failed: Annotated[bool, typer.Option("--failed", help="What could not be taken in, and why.")] = False,
    as_json: AsJson = False,
) -> None:
    """The documents, with how many passages each has and what it says about itself."""
    with told_errors(), _opened(project, tenant) as held:
        if failed:
            letters = held.dead_letters()
            if as_json:
                _json([dataclasses.asdict(each) for each in letters])
            for each in [] if as_json else letters:
                part = f" (passage {each.passage[:8]})" if each.passage else ""
                sys.stdout.write(f"{each.source}{part}: {each.reason}\n")
            return
        found = held.documents()
    if as_json:
        _json([dataclasses.asdict(each) for each in found])
        return
    for each in found:
        facts = ", ".join(f"{key}={_shown(value)}" for key, value in each.facts.items() if key != "name")
        sys.stdout.write(f"{each.passages:>6}  {each.name}  {facts}\n")


@knowledge.command()
def show(
    which: Annotated[str, typer.Argument(help="A document's name, or a passage's id or its first letters.")],
    project: ProjectFolder = None,
    tenant: Tenant = "",
    as_json: AsJson = False,
) -> None:
    """The passages of a document, or one passage, with its place. Exit code 1 when there is none."""
    with told_errors(), _opened(project, tenant) as held:
        found = held.passages(which)
    if as_json:
        _json([dataclasses.asdict(each) for each in found])
    for each in [] if as_json else found:
        state = "" if each.state == "indexed" else f" [{each.state}]"
        sys.stdout.write(f"{each.id[:8]}  {each.citation}  {each.start}–{each.end}{state}\n")
        sys.stdout.write(f"          {each.link}\n" if each.link else "")
        sys.stdout.write("\n".join(f"          {line}" for line in each.text.splitlines()) + "\n")
    if not found:
        sys.stderr.write(f"bailiwick: there is no document or passage {which!r}\n")
        raise typer.Exit(1)


@knowledge.command()
def search(
    question: Question,
    project: ProjectFolder = None,
    tenant: Tenant = "",
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 4,
    where: Facts = None,
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Search as an agent does. Exit code 1 when nothing fits."""
    with told_errors(), _opened(project, tenant) as held:
        facts = _facts(where or [])

        async def ask() -> Found:
            await held.ready()
            return await held.search(question, k=k, where=facts, timeout=timeout)

        found = asyncio.run(ask())
    if as_json:
        _json(
            {
                "passages": [passage.as_dict() for passage in found.passages],
                "mode": found.mode,
                "degraded": list(found.degraded),
                "relevant": found.relevant,
            }
        )
    else:
        for number, each in enumerate(found.passages, start=1):
            sys.stdout.write(f"{number}. {each.citation}  ({each.score:.3f}, {each.id[:8]})\n")
            sys.stdout.write(f"   {each.link}\n" if each.link else "")
            sys.stdout.write("\n".join(f"   {line}" for line in each.text.splitlines()[:6]) + "\n")
        fits = "" if found.relevant else "; nothing that fits"
        sys.stdout.write(f"{found.mode}{fits}\n" + "".join(f"degraded: {each}\n" for each in found.degraded))
    if not found.relevant:
        raise typer.Exit(1)


@knowledge.command()
def stats(project: ProjectFolder = None, tenant: Tenant = "", as_json: AsJson = False) -> None:
    """How much there is: documents, passages, vectors, bytes."""
    with told_errors(), _opened(project, tenant) as held:
        found = dataclasses.asdict(held.stats())
    if as_json:
        _json(found)
        return
    for name, value in found.items():
        sys.stdout.write(f"{name.replace('_', ' '):>15}  {value}\n")


@knowledge.command()
def verify(
    project: ProjectFolder = None,
    tenant: Tenant = "",
    every: Annotated[bool, typer.Option("--all", help="Look for every passage, and not for 2000 of them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Whether the vector index holds what the texts say. Exit code 1 when it does not."""
    with told_errors(), _opened(project, tenant) as held:
        verdict = held.verify(every=every)
    if as_json:
        _json({**dataclasses.asdict(verdict), "sound": verdict.sound})
    elif verdict.broken:
        sys.stdout.write(f"broken: {verdict.broken}\nmend it: bailiwick knowledge rebuild\n")
    else:
        sys.stdout.write(
            f"{verdict.passages} passages: {verdict.missing} without a vector, {verdict.strangers} vectors of nobody;"
            f" {verdict.lost} of {verdict.looked_for} not found by their own vector\n"
            + ("sound\n" if verdict.sound else "not sound; mend it: bailiwick knowledge rebuild\n")
        )
    if not verdict.sound:
        raise typer.Exit(1)


@knowledge.command()
def rebuild(
    project: ProjectFolder = None,
    tenant: Tenant = "",
    embedder: Annotated[str | None, typer.Option(help="Have another embedder make the vectors from now on.")] = None,
) -> None:
    """Make the vector index anew from the texts and the vectors that are kept. The old one is searched meanwhile."""
    with told_errors(), _opened(project, tenant) as held:
        from rich.console import Console

        console = Console(stderr=True)
        with console.status("rebuilding") as status:
            count = held.rebuild(embedder=embedder, on_progress=lambda told: status.update(str(told)))
        console.print(f"{count} vectors")


@knowledge.command()
def compact(project: ProjectFolder = None, tenant: Tenant = "") -> None:
    """Give up the room of vectors that nothing needs, and of the index's log."""
    with told_errors(), _opened(project, tenant) as held:
        from rich.console import Console

        console = Console(stderr=True)
        with console.status("compacting") as status:
            before, after = held.compact(on_progress=lambda told: status.update(str(told)))
        console.print(f"{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")


@knowledge.command("eval")
def evaluate(
    questions: Annotated[Path, typer.Argument(help="CSV with the columns question and relevant (see the docs).")],
    project: ProjectFolder = None,
    tenant: Tenant = "",
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages count.")] = 5,
    worst: Annotated[int, typer.Option(min=0, help="How many of the worst questions are told.")] = 10,
    as_json: AsJson = False,
) -> None:
    """How well the search finds what your own questions need: recall, nDCG and MRR, of each index and of both."""
    with told_errors(), _opened(project, tenant) as held:
        from bailiwick.retrieval import evaluate as measure

        result = measure(held, questions, k=k)
    if as_json:
        _json(result.as_dict(worst=worst))
        return
    sys.stdout.write(result.as_text(worst=worst))


def _opened(project: Path | None, tenant: str) -> Knowledge:
    from bailiwick.project import Layout, find_root
    from bailiwick.retrieval import Knowledge

    layout = Layout(root=find_root(project))
    return Knowledge.open(layout.index, tenant=tenant)


def _facts(given: Sequence[str]) -> dict[str, Any]:
    from bailiwick.errors import InputRefused

    facts: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise InputRefused(f"--where {each!r} is no NAME=VALUE", fix="write for example --where kind=pdf")
        if ".." in value:
            low, _, high = value.partition("..")
            facts[name] = {key: _value(end) for key, end in (("from", low), ("to", high)) if end}
        elif "," in value:
            facts[name] = [_value(part) for part in value.split(",")]
        else:
            facts[name] = _value(value)
    return facts


def _value(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "|".join(str(each) for each in cast("list[Any]", value))
    return str(value)


def _json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
