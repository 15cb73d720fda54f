"""The policy of one tool: what may be called (the gate) and what the call can touch (the sandbox).

Empty is the least permission throughout: no rule allows nothing, no file list mounts nothing, no network list gives
no network. Unknown keys are errors, since a misspelt restriction must never become a missing one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bailiwick.policy.host_spelling import canonical_host, host_and_port
from bailiwick.policy.quantity import Bytes, Duration

__all__ = [
    "Approval",
    "ArgRule",
    "EarlierCall",
    "Effect",
    "Endpoint",
    "Files",
    "InlineTest",
    "Limits",
    "Network",
    "Origin",
    "Output",
    "Policy",
    "Preceding",
    "RateLimit",
    "Rule",
    "SandboxPolicy",
    "Used",
]

Effect = Literal["read", "write", "egress", "exec"]
Scalar = str | int | float | bool
Origin = Annotated[str, Field(pattern=r"^(any|user|operator|knowledge|model|(tool|untrusted):[a-z_][a-z0-9_]{0,63})$")]
"""Where a value comes from: what the ``user`` said, the ``operator`` wrote or bound to the session, retrieved
``knowledge``, a ``tool``'s trusted result, an ``untrusted`` one; ``model``: found in none of them."""
LabelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ArgRule(_Part):
    """What one argument may be. Empty says only that the argument may be present.

    ``regex`` always matches the whole value. ``equals`` may name a session value (``$session.user_id``); an unset
    session value equals nothing.
    """

    type: Literal["string", "integer", "decimal", "boolean", "list", "object"] | None = None
    regex: str | None = None
    enum: tuple[Scalar, ...] | None = None
    equals: Scalar | None = None
    gt: Decimal | None = None
    ge: Decimal | None = None
    lt: Decimal | None = None
    le: Decimal | None = None
    max_length: Annotated[int, Field(ge=0)] | None = None
    optional: bool = False
    """Absent is accepted only where this says so: a constraint on an absent argument fails."""
    origins: Annotated[tuple[Origin, ...] | None, Field(alias="from")] = None
    """Where every text and number in the value must have been found. A value from elsewhere makes ``allow`` a
    question. Absent: anywhere, as ``any``."""
    links: tuple[Origin, ...] | None = None
    """Where every address that stands in a text must have been found: of pages, mailboxes, accounts, telephones. For
    prose that the model may write and that must lead nobody astray. Absent: anywhere, as ``any``."""
    without: tuple[LabelName, ...] = ()
    """Labels of results, such as ``pii``, of which nothing may be in the value; else ``allow`` is a question."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex does not compile: {error}") from None
        if self.regex is not None and self.type not in (None, "string"):
            raise ValueError("regex needs type: string")
        bounds = [bound for bound in (self.gt, self.ge, self.lt, self.le) if bound is not None]
        if bounds and self.type not in ("integer", "decimal"):
            raise ValueError("gt, ge, lt and le need type: integer or type: decimal")
        low, high = (
            max((b for b in (self.gt, self.ge) if b is not None), default=None),
            min((b for b in (self.lt, self.le) if b is not None), default=None),
        )
        if low is not None and high is not None:
            strict = low == self.gt or high == self.lt
            if low > high or (low == high and strict):
                raise ValueError("the range is empty: nothing can satisfy it")
        if self.enum is not None and not self.enum:
            raise ValueError("enum is empty: nothing can satisfy it")
        if self.origins is not None and not self.origins:
            raise ValueError("from is empty: no value comes from nowhere")
        if self.links is not None and not self.links:
            raise ValueError("links is empty: no address comes from nowhere; name model where none is to be there")
        if self.type == "boolean" and self.origins is not None and not {"any", "model"} & set(self.origins):
            raise ValueError("from cannot be told of true and false, which are found everywhere")
        return self

    @property
    def accepted(self) -> frozenset[str] | None:
        """The origins that are accepted; None: every one."""
        return _named(self.origins)

    @property
    def accepted_links(self) -> frozenset[str] | None:
        """The origins of addresses within it that are accepted; None: every one."""
        return _named(self.links)


class Preceding(_Part):
    """A call that must have come before, in the same thread."""

    tool: str
    ok: bool = True
    same: tuple[str, ...] = ()
    """Arguments that must have had the same value in that call. Empty: any call of the tool will do."""


class RateLimit(_Part):
    """How many calls under a rule, or how much of an argument in all. Calls that are still running count.

    It is one of the two: ``calls``, or ``sum`` with ``le``.
    """

    per: Literal["session", "user", "agent", "all"]
    """Whose calls count together: those of a conversation, a user (``$session.user_id``), an agent, or everybody."""
    window: Duration | None = None
    """Back from now. Absent: for ever."""
    calls: Annotated[int | None, Field(ge=0)] = None
    sum: str | None = None
    """The argument that is added up. What is below zero counts as nothing."""
    le: Annotated[Decimal | None, Field(ge=0)] = None
    """What the sum may come to, this call with it."""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.calls is None) == (self.sum is None):
            raise ValueError("a limit is either calls, or sum with le")
        if (self.sum is None) != (self.le is None):
            raise ValueError("sum and le need each other")
        return self


class Approval(_Part):
    """Who answers an ``ask``. Empty ``by``: anyone whom the application lets answer."""

    by: tuple[str, ...] = ()
    ttl: Duration = timedelta(minutes=15)
    """How long after the question an answer counts."""
    show: tuple[str, ...] = ()
    """Arguments to show first. Empty: all of them."""
    bind: Literal["args_hash", "values"] = "args_hash"
    """``args_hash``: a yes counts for the very arguments that were shown, and for no others. ``values``: it also
    vouches for where they come from. Other calls of the rule in the conversation may then use the same values, and
    others of the same trusted result, until ``ttl`` is over: a list is asked about once, not name by name."""


class Rule(_Part):
    """One rule. Precedence over all that match: deny, then ask, then allow, then the default, which denies."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    decision: Literal["allow", "ask", "deny"]
    agents: tuple[str, ...] = ()
    """Which agents the rule is for. Empty: none for ``allow`` and ``ask``, every one for ``deny``. ``any``: all."""
    args: dict[str, ArgRule] = Field(default_factory=dict)
    """Constraints by argument. An argument that is sent but not named here does not match ``allow`` or ``ask``."""
    after: tuple[Preceding, ...] = ()
    limits: tuple[RateLimit, ...] = ()
    """What calls under this rule may come to. Empty: not limited."""
    approval: Approval = Approval()
    reason: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.decision == "deny":
            if self.limits:
                raise ValueError("limits are for rules that allow or ask: a denied call uses nothing up")
            for name, arg in self.args.items():
                if arg.without or arg.links is not None:
                    raise ValueError(
                        f"without and links are for rules that allow or ask, not for {name!r} in a deny rule"
                    )
        for limit in self.limits:
            if limit.sum is not None:
                arg = self.args.get(limit.sum)
                if arg is None or arg.type not in ("integer", "decimal") or arg.optional:
                    raise ValueError(f"the sum of {limit.sum!r} needs it under args as a number that must be there")
        return self


class Output(_Part):
    """What the result is worth. Empty: untrusted, without labels."""

    trust: Literal["trusted", "untrusted", "inherit"] = "untrusted"
    """``inherit``: the result is made of the arguments alone, and is worth what the least of them is."""
    untrusted_fields: tuple[Annotated[str, Field(pattern=r"^[^.]+([.][^.]+)*$")], ...] = ()
    """Fields of a trusted result that hold what others wrote: ``subject``, ``items.note``. Lists are looked through."""
    labels: tuple[LabelName, ...] = ()
    """What the result holds, such as ``pii``; see ``without``."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.untrusted_fields and self.trust == "untrusted":
            raise ValueError("untrusted_fields needs trust: trusted or inherit, since else every field is untrusted")
        return self


class Files(_Part):
    """Paths relative to the project, mounted under /work. Empty: none."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    output: str = ""
    """A folder of the project, not mounted, for the files that a call leaves in ``bailiwick.output()``: each call's
    in a folder of its own. Empty: no file is taken back."""


class Endpoint(_Part):
    """One host at one port; the text ``name:port`` is one without further limits. Hosts are kept canonical.

    ``methods`` and ``paths`` limit HTTP requests, which the tool then writes as ``http://name:port/``: inside TLS
    nobody could look. Empty: not limited.
    """

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    methods: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z-]{0,31}$")], ...] = ()
    paths: tuple[Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~!$&'()+,=:@/-]*$")], ...] = ()
    """Beginnings of paths, by whole segments: ``/v1`` and ``/v1/`` hold ``/v1/orders`` and not ``/v10``."""
    tls: bool | None = None
    """Whether the host is spoken to by TLS when a request comes as ``http://name:port/``. Absent: at port 443."""
    addresses: tuple[str, ...] = ()
    """Networks, as ``10.0.0.0/8``, that the name may lead to beside public ones. Empty: public addresses only."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        host, port = host_and_port(value)
        return {"host": host, "port": port}

    @field_validator("host")
    @classmethod
    def _canonical(cls, host: str) -> str:
        return canonical_host(host)

    @field_validator("paths")
    @classmethod
    def _are_plain(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if "//" in path or {".", ".."} & set(path.split("/")):
                raise ValueError(f"{path!r} is no beginning of a path; write it without //, . and ..")
        return paths

    @field_validator("addresses")
    @classmethod
    def _are_networks(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(_network(address)) for address in addresses)


class Network(_Part):
    """Which hosts a call may reach, and how much goes over. Empty ``allow``: no network at all."""

    allow: tuple[Endpoint, ...] = ()
    bytes: Annotated[Bytes, Field(ge=1)] = 16 * 2**20
    """Of one call, both directions and all connections together."""


class Limits(_Part):
    """What one call may use. The defaults are small; raise what a tool shows that it needs."""

    cpu: Annotated[float, Field(gt=0, le=64)] = 0.5
    """Cores."""
    memory: Annotated[Bytes, Field(ge=16 * 2**20)] = 128 * 2**20
    """Bytes, swap included."""
    pids: Annotated[int, Field(ge=4, le=4096)] = 16
    time: Duration = timedelta(seconds=5)
    """Wall time of the tool itself; starting a container is not counted."""
    output: Annotated[Bytes, Field(ge=256)] = 64 * 2**10
    """Bytes of the result as JSON, and again of each of stdout and stderr."""
    disk: Annotated[Bytes, Field(ge=0)] = 16 * 2**20
    """Bytes of /tmp, which is in memory; of the files that are taken back, too."""
    files: Annotated[int, Field(ge=1, le=1000)] = 16
    """Files that are taken back of one call, where ``files.output`` says so."""


class SandboxPolicy(_Part):
    """What the container can touch. Empty: a read-only interpreter and the tool's own file, nothing else."""

    image: Annotated[str, Field(min_length=1)] = "python"
    requirements: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")], ...] = ()
    """Distributions of the host's environment that the tool may import, with what they need. Empty: the standard
    library only."""
    files: Files = Files()
    network: Network = Network()
    secrets: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()
    """Names of environment variables of the host, handed over in the call's frame. Empty: none."""
    limits: Limits = Limits()
    isolation: Literal["call", "thread"] = "call"
    runtime: Literal["any", "runc", "gvisor", "bubblewrap"] = "any"


class EarlierCall(_Part):
    """A call that an inline test lets come before."""

    tool: str
    args: dict[str, Any] = Field(default_factory=dict)
    ok: bool = True
    result: Any = None
    """What it gave, as JSON. Absent: nothing that an argument could come from."""
    trust: Literal["trusted", "untrusted"] = "trusted"


class Used(_Part):
    """What was used of every limit before. Empty: nothing."""

    calls: Annotated[int, Field(ge=0)] = 0
    sum: Annotated[Decimal, Field(ge=0)] = Decimal(0)


class InlineTest(_Part):
    """A decision the author expects, checked whenever the policy is loaded."""

    agent: str
    args: dict[str, Any] = Field(default_factory=dict)
    session: dict[str, Any] = Field(default_factory=dict)
    after: tuple[EarlierCall, ...] = ()
    """Calls that came before. Empty: none."""
    untrusted: bool = False
    """Whether the thread has read untrusted content."""
    user: str = ""
    """What the user said. Empty: nothing that an argument could come from."""
    used: Used = Used()
    expect: Literal["allow", "ask", "deny"]
    because: str | None = None
    """The rule's id, or the key that failed."""


class Lookup(_Part):
    """How to find out whether a write happened; where that gives no answer, a person is asked."""

    lookup: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")]
    """A read tool of the project. It is given the call's arguments that it has parameters for and
    ``idempotency_key``, and answers ``{"happened": true, "result": …}`` or ``{"happened": false}``."""


class Policy(_Part):
    """One tool's policy. Without rules nothing may be called."""

    version: Literal[1] = 1
    tool: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")] = "_"
    """The tool's name; ``_`` only in code, where the decorated function gives it."""
    effect: Effect = "write"
    recover: Literal["idempotent", "ask"] | Lookup = "ask"
    """What to do when a write's outcome is unknown: run it again with the same key, find out, or ask a person."""
    output: Output = Output()
    on_untrusted: Literal["allow", "ask", "deny"] = "ask"
    """What an ``allow`` becomes once the thread has read untrusted content; ``deny`` takes an ``ask`` with it."""
    rules: tuple[Rule, ...] = ()
    sandbox: SandboxPolicy = SandboxPolicy()
    tests: tuple[InlineTest, ...] = ()

    @field_validator("rules")
    @classmethod
    def _rule_ids_differ(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        seen: set[str] = set()
        for rule in rules:
            if rule.id in seen:
                raise ValueError(f"two rules are called {rule.id!r}")
            seen.add(rule.id)
        return rules

    @property
    def digest(self) -> str:
        """``sha256:…`` over the canonical JSON of what the policy decides; its tests are left out."""
        text = json.dumps(self.model_dump(mode="json", exclude={"tests"}), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _named(origins: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if origins is None or "any" in origins else frozenset(origins)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no network; write one like 10.0.0.0/8 or 192.168.1.5/32") from None
