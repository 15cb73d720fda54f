"""One attack: what it tries, what a sandbox promises against it, and how it is tried and judged."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from bailiwick.errors import AttestationFailed, SandboxFailed
from bailiwick.sandbox.mounts import NOBODY
from bailiwick.sandbox.spec import Mount, Request, Result, Sandbox, Spec

__all__ = ["HOSTILE", "Attack", "Attempt", "CannotBeTried", "Ending", "Outcome", "Scene", "run_attack"]

HOSTILE = Path(__file__).with_name("hostile")
"""Folder of the tools' files that attack."""
READ, WRITE = "/work/data/read", "/work/data/write"
"""Where a scene's two folders are seen inside."""
_FILE_BYTES = 100_000
_STUCK = 20.0
"""Seconds beyond a call's own after which it is hung for good: start, runner and host have each given up by then."""

Ending = Literal["withstood", "breached", "untried"]


class CannotBeTried(Exception):
    """Raised by an attempt that this machine or kind of sandbox gives no occasion for; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What an attempt has to work with: a sandbox, and a folder of its own on the host."""

    sandbox: Sandbox
    folder: Path
    """Holds ``read`` and ``write``, which calls may mount, and whatever else an attempt puts there."""

    @classmethod
    def prepare(cls, sandbox: Sandbox, folder: Path) -> Scene:
        """Make ``folder``, with a read folder whose links lead out of it, a write folder, and a file of the host's."""
        for name in ("read", "write"):
            (folder / name).mkdir(parents=True)
        (folder / "write").chmod(0o777)  # for whatever uid the container has
        (folder / "read/file.txt").write_text("to be read")
        outside = folder / "outside.txt"
        outside.write_text("not to be read")
        links = {"shadow": "/etc/shadow", "up": "../outside.txt", "by-path": str(outside), "loop": "loop"}
        for name, target in links.items():
            (folder / "read" / name).symlink_to(target)
        return cls(sandbox=sandbox, folder=folder)

    def spec(self, file: str, *mounts: Mount, **limits: Any) -> Spec:
        """The spec of a call of ``file`` under ``hostile/``, with the scene's read folder."""
        tool = Mount(source=HOSTILE / file, target=f"/tool/{file}")
        read = Mount(source=(self.folder / "read").resolve(), target=READ)
        bounds: dict[str, Any] = {"memory": 96 * 2**20, "pids": 16, "disk": 4 * 2**20, **limits}
        return Spec(image="python", mounts=(tool, read, *mounts), uid=NOBODY, **bounds)

    def write_mount(self) -> Mount:
        """The scene's write folder, as it may be changed from inside."""
        return Mount(source=(self.folder / "write").resolve(), target=WRITE, write=True)

    async def call(
        self,
        file: str,
        function: str,
        args: Mapping[str, Any] | None = None,
        *,
        spec: Spec | None = None,
        seconds: float = 6.0,
        secrets: Mapping[str, str] | None = None,
        thread: str = "",
        files: int = 0,
    ) -> Result:
        """One call, of the conversation ``thread``, giving back ``files`` files. Raises TimeoutError when it hangs."""
        request = Request(
            file=f"/tool/{file}",
            function=function,
            args=args or {},
            secrets=secrets or {},
            time=seconds,
            output=16 * 2**10,
            thread=thread,
            files=files,
            file_bytes=_FILE_BYTES if files else 0,
        )
        async with asyncio.timeout(seconds + _STUCK):
            return await self.sandbox.run(spec or self.spec(file), request)


class Attempt(Protocol):
    """Tries an attack and looks at what came of it.

    Gives what is wrong, empty when the sandbox held. Raises CannotBeTried.
    """

    async def __call__(self, scene: Scene) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One thing a tool may try."""

    name: str
    tried: str
    """What the hostile tool does, as a clause: "writes outside of /tmp"."""
    promise: str
    """What the sandbox promises against it."""
    attempt: Attempt = field(repr=False)
    cves: tuple[str, ...] = ()
    """Known escapes of the same kind."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of an attack. ``why``: what was wrong (breached), or why it could not be tried."""

    attack: Attack
    ending: Ending
    why: str = ""

    def __str__(self) -> str:
        return f"{self.ending}: {self.why}" if self.why else self.ending


async def run_attack(sandbox: Sandbox, attack: Attack, scratch: Path) -> Outcome:
    """Try ``attack`` on ``sandbox``, in a new folder below ``scratch`` that is removed afterwards.

    A sandbox that fails or hangs under attack has not withstood it. Raises SandboxRefused when it cannot hold the spec,
    and AttestationFailed when no container of it is what its spec says, so that nothing runs that could attack.
    """
    folder = scratch / attack.name
    folder.mkdir(parents=True)
    try:
        why = await attack.attempt(Scene.prepare(sandbox, folder))
    except CannotBeTried as error:
        return Outcome(attack=attack, ending="untried", why=str(error))
    except TimeoutError:
        why = "the host was kept waiting for good"
    except AttestationFailed:
        raise
    except SandboxFailed as error:
        why = f"the sandbox failed: {error.message}"
    finally:
        # A tool may leave what its own uid alone can remove; that is the scratch folder's owner's to clear.
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(attack=attack, ending="breached" if why else "withstood", why=" ".join(why.split())[:500])
