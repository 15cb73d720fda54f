"""What became allowed, asked about or denied between two versions of policies, and what their sandboxes gained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bailiwick.gate.loosened import STRICTNESS, Loosened, loosened
from bailiwick.gate.rule_words import rule_changes, rule_in_words
from bailiwick.policy import LoadedPolicy, Policy, Rule
from bailiwick.policy.change import Change, Direction
from bailiwick.policy.sandbox_difference import sandbox_difference

__all__ = ["folder_difference", "policy_difference"]

_WHY = {
    "opens": "it lets through what no rule did",
    "no longer denies": "what it denied falls through to another rule",
    "no longer asks": "what it asked about falls through to a rule that allows",
    "approval": "more people may answer, or for longer",
    "on_untrusted": "less is held back once untrusted content was read",
}


def folder_difference(old: Mapping[str, LoadedPolicy], new: Mapping[str, LoadedPolicy]) -> list[Change]:
    """What differs between two folders of policies, by tool. A tool without a policy may not be called."""
    return [change for tool in sorted({*old, *new}) for change in policy_difference(old.get(tool), new.get(tool))]


def policy_difference(old: LoadedPolicy | None, new: LoadedPolicy | None) -> list[Change]:
    """What differs between two versions of one tool's policy; None where there is none, which denies everything.

    A change is ``wider`` when it shows a call that is decided less strictly or a part of the sandbox that is larger,
    ``may be wider`` when that could not be ruled out, and anything else only when it provably is not.
    """
    match old, new:
        case None, None:
            return []
        case None, LoadedPolicy() as only:
            return [_whole(only, loosened(_nothing(only), only), added=True)]
        case LoadedPolicy() as only, None:
            return [_whole(only, loosened(_nothing(only), only), added=False)]
        case LoadedPolicy() as before, LoadedPolicy() as after:
            return [*_gate(before, after), *sandbox_difference(before, after)]


def _nothing(like: LoadedPolicy) -> LoadedPolicy:
    # The strictest there is, so that what differs from it is all that the other permits.
    return LoadedPolicy(policy=Policy(tool=like.policy.tool, on_untrusted="deny"), file=Path())


def _whole(only: LoadedPolicy, opens: Sequence[Loosened], *, added: bool) -> Change:
    rules = (
        "; ".join(f"{rule.id}: {rule_in_words(rule)}" for rule in only.policy.rules) or "no rule, so it opens nothing"
    )
    direction: Direction = _direction(opens) if added else "narrower" if opens else "same"
    return Change(
        tool=only.policy.tool,
        key="",
        direction=direction,
        text=f"the tool has a policy now ({rules})" if added else f"the tool has no policy any more ({rules})",
        old="" if added else str(only.file),
        new=str(only.file) if added else "",
        example=next((each.example for each in opens if each.example), "") if added else "",
    )


def _gate(old: LoadedPolicy, new: LoadedPolicy) -> Iterator[Change]:
    looser, stricter = loosened(old, new), loosened(new, old)
    before, after = ({rule.id: rule for rule in each.policy.rules} for each in (old, new))
    for name in dict.fromkeys((*before, *after)):
        text = _rule_text(before.get(name), after.get(name))
        key = f"rules.{name}"
        mine = [each for each in looser if each.key == key]
        theirs = [each for each in stricter if each.key == key]
        if text or mine:
            yield _change(old, new, key, text or "what stands around it differs", mine, theirs)
    if _order(old.policy) != _order(new.policy):
        yield _change(old, new, "rules", "rules of one decision stand in another order", [], [])
    if old.policy.on_untrusted != new.policy.on_untrusted:
        text = f"on_untrusted: {old.policy.on_untrusted} → {new.policy.on_untrusted}"
        less = STRICTNESS[new.policy.on_untrusted] < STRICTNESS[old.policy.on_untrusted]
        mine = [each for each in looser if each.key == "on_untrusted"]
        direction: Direction = _direction(mine) if less else "narrower"
        yield _change(old, new, "on_untrusted", text, mine, [], direction=direction)


def _rule_text(old: Rule | None, new: Rule | None) -> str:
    """Empty: the rule decides as it did."""
    match old, new:
        case None, Rule() as only:
            return f"a new rule: {rule_in_words(only)}"
        case Rule() as only, None:
            return f"the rule is gone: {rule_in_words(only)}"
        case Rule() as before, Rule() as after:
            return "; ".join(f"{key}: {text}" for key, text in rule_changes(before, after))
        case _:
            return ""


def _order(policy: Policy) -> list[list[str]]:
    """The rules' ids by decision, in order, without those of deny, whose order decides nothing but the reason."""
    return [[rule.id for rule in policy.rules if rule.decision == decision] for decision in ("ask", "allow")]


def _change(
    old: LoadedPolicy,
    new: LoadedPolicy,
    key: str,
    text: str,
    looser: Sequence[Loosened],
    stricter: Sequence[Loosened],
    *,
    direction: Direction | None = None,
) -> Change:
    found: Direction = direction or (_direction(looser) if looser else "narrower" if stricter else "same")
    why = "; ".join(_WHY[each.why] for each in looser)
    return Change(
        tool=new.policy.tool,
        key=key,
        direction=found,
        text=f"{text} ({why})" if why else text,
        old=_where(old, key),
        new=_where(new, key),
        example=next((each.example for each in looser if each.example), ""),
    )


def _direction(looser: Sequence[Loosened]) -> Direction:
    if not looser:
        return "same"
    return "wider" if any(each.example for each in looser) else "may be wider"


def _where(loaded: LoadedPolicy, key: str) -> str:
    if key.startswith("rules."):
        name = key.removeprefix("rules.")
        places = [n for n, rule in enumerate(loaded.policy.rules) if rule.id == name]
        return loaded.where(f"rules.{places[0]}") if places else ""
    return loaded.where(key) if loaded.line(key) is not None else ""
