"""Where the values of a call come from: traced back to what entered the conversation, not to what the model claims.

The idea that a tool's argument has to come from somewhere is CaMeL's (Debenedetti et al., 2025, "Defeating Prompt
Injections by Design"); there the model's plan is interpreted to know the origin, and here the value is looked for in
what was said and read, so that any graph and any model will do. What is found nowhere, the model made up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, cast

from bailiwick.gate.occurrence import occurs
from bailiwick.gate.readings import light

__all__ = ["MODEL", "NOWHERE", "Origins", "Source", "leaves", "result_sources"]

MODEL = "model"
_MOST = 2000
"""Texts and numbers of one argument that are traced; more are not, and count as the model's."""
_SHORTEST = 4
"""Characters of a labelled text that are looked for in an argument: what is shorter stands in any text."""
_WORDS = 6
"""Words in a row that make a quotation of a longer text."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something that entered the conversation. ``values``: the texts and numbers in it."""

    label: str
    """``user``, ``operator``, ``knowledge``, ``tool:NAME`` for a trusted result, ``untrusted:NAME`` for another."""
    values: tuple[Any, ...]
    labels: frozenset[str] = frozenset()
    """What the tool's policy says the result holds, such as ``pii``."""
    made_from: tuple[Any, ...] | None = None
    """The arguments' texts and numbers, where the result is made of them alone. None: it is not."""


class Origins:
    """What entered a conversation, oldest first. Empty: every value is the model's."""

    __slots__ = ("_accepted", "_sources")

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources = tuple(sources)
        self._accepted: dict[tuple[Any, str, frozenset[str], int], bool] = {}

    @property
    def sources(self) -> Sequence[Source]:
        return self._sources

    def labels(self, value: Any) -> tuple[str, ...]:
        """Labels of all sources in which a text or number is found; of a list or object, of anything in it.

        ``("model",)`` where it is found in none.
        """
        found = dict.fromkeys(
            source.label for leaf in islice(leaves(value), _MOST) for source in self._sources if _holds(source, leaf)
        )
        return tuple(found) or (MODEL,)

    def foreign(self, value: Any, accepted: Collection[str], vouched: Sequence[Any] = ()) -> Any:
        """The first text or number in ``value`` that is found in no source of ``accepted``; None: there is none.

        ``vouched`` are values that count as well, since a person confirmed them. A result that is made of its tool's
        arguments alone counts as coming from where all of them come from.
        """
        wanted = frozenset(accepted)
        for n, leaf in enumerate(leaves(value)):
            if n >= _MOST:
                return leaf
            if not self._from(leaf, wanted, len(self._sources)) and not any(_alike(leaf, each) for each in vouched):
                return leaf
        return None

    def stems_from(self, value: Any, accepted: Collection[str]) -> bool:
        """Whether anything in ``value`` is found in a source of ``accepted``."""
        wanted = frozenset(accepted)
        return any(self._from(leaf, wanted, len(self._sources)) for leaf in islice(leaves(value), _MOST))

    def carried(self, value: Any, labels: Collection[str]) -> str | None:
        """The first of ``labels`` of which something stands in ``value``: a whole text or number, or some words."""
        texts = [leaf if isinstance(leaf, str) else str(leaf) for leaf in islice(leaves(value), _MOST)]
        if not texts:
            return None
        for source in self._sources:
            for label in source.labels.intersection(labels):
                if any(_quotes(text, known) for known in source.values for text in texts):
                    return label
        return None

    def _from(self, leaf: Any, accepted: frozenset[str], before: int) -> bool:
        if not before:
            return MODEL in accepted
        key = (leaf, type(leaf).__name__, accepted, before)
        if key not in self._accepted:
            self._accepted[key] = self._trace(leaf, accepted, before)
        return self._accepted[key]

    def _trace(self, leaf: Any, accepted: frozenset[str], before: int) -> bool:
        nowhere = True
        for at, source in enumerate(self._sources[:before]):
            if not _holds(source, leaf):
                continue
            nowhere = False
            if source.label in accepted:
                return True
            # Only what came before a call can be in its arguments, which is also why this ends.
            if source.made_from and all(self._from(each, accepted, at) for each in source.made_from):
                return True
        return nowhere and MODEL in accepted


NOWHERE = Origins()
"""Nothing entered the conversation, or nobody kept it."""


def leaves(value: Any) -> Iterator[Any]:
    """Every text, number and truth value in JSON data, keys of objects among them; not null and not empty text."""
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[Any, Any]", value).items():
            yield from leaves(key)
            yield from leaves(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("Sequence[Any]", value):
            yield from leaves(item)
    elif value is not None and value != "":
        yield value


def result_sources(
    tool: str,
    value: Any,
    *,
    trust: Literal["trusted", "untrusted"],
    untrusted_fields: Collection[str] = (),
    labels: Iterable[str] = (),
    made_from: Mapping[str, Any] | None = None,
) -> Iterator[Source]:
    """A tool's result as sources: what of it is trusted, and what is not.

    ``untrusted_fields`` are dotted names that are looked for at every depth, since a name that was meant for another
    place must not let what others wrote pass. A result without any fields is then untrusted as a whole.
    """
    told = frozenset(labels)
    # Of the arguments only the values: their names are the tool's own.
    derived = tuple(islice(leaves(list(made_from.values())), _MOST)) if made_from is not None else None
    if trust == "trusted" and not untrusted_fields:
        own, others = list(leaves(value)), list[Any]()
    elif trust == "trusted" and isinstance(value, (Mapping, list)):
        fields = tuple(tuple(field.split(".")) for field in untrusted_fields)
        own, others = list[Any](), list[Any]()
        _part(value, (), fields, own, others)
    else:
        own, others = list[Any](), list(leaves(value))
    if own:
        yield Source(label=f"tool:{tool}", values=tuple(own), labels=told, made_from=derived)
    if others:
        yield Source(label=f"untrusted:{tool}", values=tuple(others), labels=told)


def _part(
    value: Any, path: tuple[str, ...], fields: Sequence[tuple[str, ...]], own: list[Any], others: list[Any]
) -> None:
    if any(path[-len(field) :] == field for field in fields):
        others.extend(leaves(value))
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[Any, Any]", value).items():
            own.extend(leaves(key))
            _part(item, (*path, str(key)), fields, own, others)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _part(item, path, fields, own, others)
    else:
        own.extend(leaves(value))


def _holds(source: Source, leaf: Any) -> bool:
    # True and false are found everywhere, which says nothing: they are the model's.
    return type(leaf) is not bool and any(occurs(leaf, known) for known in source.values)


def _alike(one: Any, other: Any) -> bool:
    # A yes to a long text is no yes to each word in it.
    return occurs(one, other) and occurs(other, one)


def _quotes(text: str, known: Any) -> bool:
    plain = light(text)
    if isinstance(known, str):
        whole = light(known)
        if len(whole) < _SHORTEST:
            return False
        words = whole.split()
        if len(words) <= _WORDS:
            return occurs(known, text)
        quoted = plain.split()
        runs = {tuple(quoted[at : at + _WORDS]) for at in range(len(quoted) - _WORDS + 1)}
        return any(tuple(words[at : at + _WORDS]) in runs for at in range(len(words) - _WORDS + 1))
    return type(known) is not bool and len(str(known)) >= _SHORTEST and occurs(known, text)
