"""What ``bailiwick doctor`` says of sandboxes: what is here, what is missing, and how to get it."""

from __future__ import annotations

import os
import subprocess

from bailiwick.errors import SandboxError
from bailiwick.finding import Finding
from bailiwick.sandbox.bubblewrap import BubblewrapEngine, choose_limiter, find_bubblewrap
from bailiwick.sandbox.docker import EngineGone, connect
from bailiwick.sandbox.docker.facts import GVISOR, EngineFacts, ask_engine, demand_limits
from bailiwick.sandbox.opening import prove
from bailiwick.sandbox.seccomp import bpf_program

__all__ = ["diagnose"]


def diagnose() -> list[Finding]:
    """Look at every part that a sandbox needs. Starts one bubblewrap container, and changes nothing."""
    return [*_docker(), _seccomp(), _bubblewrap(), _limits()]


def _docker() -> list[Finding]:
    fix = "start it (systemctl start docker), or install it (Debian: apt-get install docker.io)"
    try:
        client = connect(timeout=5)
        try:
            facts = ask_engine(client)
        finally:
            client.close()
    except SandboxError as error:
        return [Finding(name="docker", ok=False, detail=error.message, fix=fix)]
    except EngineGone as error:
        return [Finding(name="docker", ok=False, detail=f"the engine does not say what it is: {error}", fix=fix)]
    return [_engine(facts), _gvisor(facts)]


def _engine(facts: EngineFacts) -> Finding:
    """What the engine is, and what it cannot do that a sandbox needs."""
    detail = f"{facts.name} {facts.version}, {facts.storage}, cgroup v{facts.cgroup_version}"
    detail += f", runtimes: {', '.join(sorted(name for name in facts.runtimes if '.' not in name))}"
    if not facts.seccomp:
        fix = "use an engine and a kernel with seccomp"
        return Finding(name="docker", ok=False, detail=f"{detail}; no seccomp", fix=fix)
    try:
        demand_limits(facts)
    except SandboxError as error:
        return Finding(name="docker", ok=False, detail=f"{detail}; {error.message}", fix=error.fix or "")
    return Finding(name="docker", ok=True, detail=detail)


def _gvisor(facts: EngineFacts) -> Finding:
    if GVISOR in facts.runtimes:
        return Finding(name="gvisor", ok=True, detail=f"{GVISOR} is registered")
    if facts.product == "podman":
        detail = f"Podman gives every container its default, {facts.default_runtime} (gVisor is optional)"
        return Finding(
            name="gvisor", ok=False, detail=detail, fix="use Docker for policies that demand runtime: gvisor"
        )
    fix = "install gVisor for policies that demand runtime: gvisor"
    return Finding(name="gvisor", ok=False, detail=f"{GVISOR} is not registered (optional)", fix=fix)


def _seccomp() -> Finding:
    try:
        size = len(bpf_program())
    except SandboxError as error:
        return Finding(name="seccomp", ok=False, detail=error.message, fix=error.fix or "")
    return Finding(name="seccomp", ok=True, detail=f"libseccomp makes a filter of {size // 8} instructions")


def _bubblewrap() -> Finding:
    try:
        version = subprocess.run([find_bubblewrap(), "--version"], capture_output=True, check=False, timeout=5)  # noqa: S603
        told = version.stdout.decode().strip().removeprefix("bubblewrap ")
        engine = BubblewrapEngine()
        try:
            prove(engine)
        finally:
            engine.close()
    except (SandboxError, OSError, subprocess.TimeoutExpired) as error:
        message = error.message if isinstance(error, SandboxError) else str(error)
        fix = (error.fix if isinstance(error, SandboxError) else None) or "allow user namespaces, or use Docker"
        return Finding(name="bubblewrap", ok=False, detail=message, fix=fix)
    return Finding(name="bubblewrap", ok=True, detail=f"{told}, a container was started")


def _limits() -> Finding:
    limiter = choose_limiter()
    if limiter.exact:
        return Finding(name="limits (bubblewrap)", ok=True, detail=f"{limiter.name}: the kernel keeps every limit")
    return Finding(
        name="limits (bubblewrap)",
        ok=False,
        detail=f"{limiter.name}: weaker, a tool may overstep for a moment and CPU is not shared out",
        fix="use Docker" if os.getuid() != 0 else "mount cgroups writable, or use Docker",
    )
