"""The prompt of an agent as it stands now, also when somebody rolls it back while a server runs."""

from __future__ import annotations

import asyncio

from bailiwick.prompts.store import PromptStore
from bailiwick.prompts.version import PromptVersion

__all__ = ["PromptInForce"]


class PromptInForce:
    """``version`` is what was in force when it was last looked at."""

    def __init__(self, store: PromptStore, version: PromptVersion) -> None:
        self._store = store
        self.version = version
        self._declared = version.declared

    async def look(self) -> PromptVersion:
        """The version in force now: one indexed read, and one more when it has changed.

        Another process may serve another text of the same agent, in the middle of a release; what it declares is its
        own, and only a rollback is taken up from there.
        """
        if await self._store.newest_number(self.version.name) != self.version.number:
            newest = await asyncio.to_thread(self._store.version, self.version.name)
            if newest.declared == self._declared:
                self.version = newest
        return self.version
