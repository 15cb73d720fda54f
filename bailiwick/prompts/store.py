"""Prompts in the project's database: texts by their content, and for each name its versions, numbered."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bailiwick.database import Database, Row
from bailiwick.errors import InputRefused
from bailiwick.prompts.version import PromptVersion, digest_of, plain

__all__ = ["PromptStore"]

_TEXTS = "CREATE TABLE IF NOT EXISTS bailiwick_prompts (digest TEXT PRIMARY KEY, text TEXT NOT NULL)"
_VERSIONS = """
CREATE TABLE IF NOT EXISTS bailiwick_prompt_versions (
    name TEXT NOT NULL, number BIGINT NOT NULL, digest TEXT NOT NULL, declared TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL, origin TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (name, number)
)
"""
_FIND = """
SELECT v.name, v.number, v.digest, p.text, v.declared, v.at, v.origin, v.by, v.reason
FROM bailiwick_prompt_versions v JOIN bailiwick_prompts p ON p.digest = v.digest
"""
_NEWEST = "SELECT number FROM bailiwick_prompt_versions WHERE name = ? ORDER BY number DESC LIMIT 1"


class PromptStore:
    """What was in force and when. Nothing is ever changed or taken out: a rollback is a new version of an old text."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_TEXTS, _VERSIONS)

    def declare(self, name: str, text: str, *, origin: str) -> PromptVersion:
        """The version in force where ``text`` is what the project declares: a new one, unless that is known already.

        A rollback stays in force for as long as what is declared is what it was then.
        """
        digest = digest_of(text)
        with self._database.transaction(f"prompt:{name}"):
            newest = self._newest(name)
            if newest is not None and newest.declared == digest:
                return newest
            self._put(name, text, digest=digest, declared=digest, origin=origin)
            found = self._newest(name)
        assert found is not None, "it was just written"
        return found

    def rollback(self, name: str, number: int, *, by: str = "", reason: str = "") -> PromptVersion:
        """Put the text of an earlier version in force, as a new version. Raises InputRefused for one there is not."""
        with self._database.transaction(f"prompt:{name}"):
            wanted, newest = self.version(name, number), self._newest(name)
            assert newest is not None, "the wanted one is a version too"
            self._put(
                name,
                wanted.text,
                digest=wanted.digest,
                declared=newest.declared,
                origin=f"rollback to {number}",
                by=by,
                reason=reason,
            )
            found = self._newest(name)
        assert found is not None, "it was just written"
        return found

    def names(self) -> list[str]:
        rows = self._database.rows("SELECT DISTINCT name FROM bailiwick_prompt_versions ORDER BY name")
        return [str(row[0]) for row in rows]

    def versions(self, name: str) -> list[PromptVersion]:
        """Oldest first. Raises InputRefused for a name that has none."""
        rows = self._database.rows(f"{_FIND} WHERE v.name = ? ORDER BY v.number", (name,))
        if not rows:
            have = ", ".join(self.names()) or "none: a prompt is kept when its agent is first used"
            raise InputRefused(f"no prompt {name!r} is kept (there are: {have})", fix="correct the name")
        return [_read(row) for row in rows]

    def version(self, name: str, which: int | str | None = None) -> PromptVersion:
        """By its number, by the beginning of its digest, or the newest. Raises InputRefused where there is no such."""
        versions = self.versions(name)
        if which is None:
            return versions[-1]
        for each in versions:
            if str(each.number) == str(which) or (len(str(which)) >= 6 and each.digest.startswith(str(which))):
                return each
        raise InputRefused(
            f"the prompt {name!r} has no version {which} (it has 1 to {versions[-1].number})",
            fix=f"look at: bailiwick prompts list {name}",
        )

    async def newest_number(self, name: str) -> int:
        """Cheap enough for every turn; 0: there is none."""
        rows = await self._database.look(_NEWEST, (name,))
        return int(rows[0][0]) if rows else 0

    def _newest(self, name: str) -> PromptVersion | None:
        rows: Sequence[Row] = self._database.rows(f"{_FIND} WHERE v.name = ? ORDER BY v.number DESC LIMIT 1", (name,))
        return _read(rows[0]) if rows else None

    def _put(
        self, name: str, text: str, *, digest: str, declared: str, origin: str, by: str = "", reason: str = ""
    ) -> None:
        newest = self._newest(name)
        self._database.execute(
            "INSERT INTO bailiwick_prompts VALUES (?, ?) ON CONFLICT (digest) DO NOTHING", (digest, plain(text))
        )
        number = 1 if newest is None else newest.number + 1
        values = (name, number, digest, declared, time.time(), origin, by, reason)
        self._database.execute("INSERT INTO bailiwick_prompt_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _read(row: Row) -> PromptVersion:
    name, number, digest, text, declared, at, origin, by, reason = row
    return PromptVersion(
        name=name,
        number=int(number),
        digest=digest,
        text=text,
        declared=declared,
        at=float(at),
        origin=origin,
        by=by,
        reason=reason,
    )
