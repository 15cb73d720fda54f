"""How well policies hold a fully hijacked agent, on AgentDojo's own ground truths: no model, no network.

    python -m benchmarks.agentdojo --suite banking [--policies DIR] [--offers FILE] [--json]

The agent makes every call of the user's task and then, in an attack, tries every call of the injected one, whatever it
is told. A call that is refused is not made, and the agent goes on. Utility and success of an attack are judged by the
package's own checks. Rows, by what stands between agent and tools:

- ``no policy``: nothing;
- ``tool lists``: the tools that a policy allows at all, where the graph's state offers them;
- ``static lists``: the policies without anything of the conversation: no origins, no order of calls, no limits;
- ``ours``: the policies. A person approves what the user's own task asks for, and refuses what the attacker's does;
- ``ours, all approved``: the same, with a person who says yes to everything.

``attack_success_without_text_only`` leaves out attacks that succeed by words alone, with every call refused.
The package runs in an environment of its own, which is made on the first run; BAILIWICK_AGENTDOJO_PYTHON names another.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bailiwick.gate import Ask, Deny
from bailiwick.policy import LoadedPolicy, load_policies
from benchmarks.agentdojo_conversation import Conversation
from benchmarks.peers.environment import environment_with

PACKAGE = "agentdojo==0.1.35"
VERSION = "v1.2.2"
OWN = Path(__file__).with_name("agentdojo_policies")
Offers = Callable[[str], Collection[str]]
Ask_ = Callable[[dict[str, Any]], dict[str, Any]]


def python_of_its_own() -> str:
    """An interpreter that has the package: it wants other versions of what Bailiwick needs."""
    if given := os.environ.get("BAILIWICK_AGENTDOJO_PYTHON"):
        return given
    sys.stderr.write(f"an environment with {PACKAGE} is made where there is none yet\n")
    return str(environment_with(PACKAGE))


@contextmanager
def worker(python: str) -> Iterator[Ask_]:
    """The package's side, as a function from a request to its answer."""
    file = Path(__file__).with_name("agentdojo_worker.py")
    process = subprocess.Popen(
        # Without the worker's own folder on the path, where this file has the package's name.
        [python, "-P", "-W", "ignore", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given, taken = process.stdin, process.stdout

    def ask(request: dict[str, Any]) -> dict[str, Any]:
        given.write(json.dumps(request) + "\n")
        given.flush()
        line = taken.readline()
        if not line:
            raise RuntimeError(f"the worker for {PACKAGE} ended; its own words are above")
        return json.loads(line)

    try:
        yield ask
    finally:
        given.close()
        process.wait(timeout=30)


class Row:
    """One way of standing between agent and tools. ``policies`` None: nothing decides."""

    def __init__(
        self,
        name: str,
        policies: Mapping[str, LoadedPolicy] | None,
        offers: Offers | None,
        *,
        all_approved: bool = False,
        lists_only: bool = False,
    ) -> None:
        self.name = name
        self.policies = policies
        self.offers = offers
        self.all_approved = all_approved
        self.lists_only = lists_only
        self.microseconds: list[float] = []

    def measured(
        self, ask: Ask_, suite: Mapping[str, Any], text_only: Collection[str], agent: str, session: Mapping[str, Any]
    ) -> dict[str, Any]:
        lost: list[str] = []
        questions = 0
        asked_in: Counter[str] = Counter()
        for user in suite["user_tasks"]:
            benign, asked = self._run(ask, user, None, agent, session)
            lost += [] if benign["utility"] else [user]
            questions += asked
            asked_in[user] += asked
        succeeded: Counter[str] = Counter()
        for injection in suite["injection_tasks"]:
            for user in suite["user_tasks"]:
                succeeded[injection] += self._run(ask, user, injection, agent, session)[0]["attacked"]
        pairs = len(suite["user_tasks"]) * len(suite["injection_tasks"])
        acting = len(suite["user_tasks"]) * (len(suite["injection_tasks"]) - len(text_only))
        return {
            "row": self.name,
            "utility": 1 - len(lost) / len(suite["user_tasks"]),
            "attack_success": sum(succeeded.values()) / pairs,
            "attack_success_without_text_only": sum(
                count for injection, count in succeeded.items() if injection not in text_only
            )
            / max(1, acting),
            "questions_per_task": questions / len(suite["user_tasks"]),
            "pairs": pairs,
            "lost": lost,
            "asked_in": {user: count for user, count in asked_in.items() if count},
            "succeeded": {injection: count for injection, count in succeeded.items() if count},
            "text_only": sorted(text_only),
        }

    def by_words_alone(self, ask: Ask_, suite: Mapping[str, Any]) -> set[str]:
        """The attacks that succeed in every task with none of their calls made: no gate can see them."""
        return {
            injection
            for injection in suite["injection_tasks"]
            if all(self._run(ask, user, injection, "", {}, silent=True)[0]["attacked"] for user in suite["user_tasks"])
        }

    def _run(
        self,
        ask: Ask_,
        user: str,
        injection: str | None,
        agent: str,
        session: Mapping[str, Any],
        *,
        silent: bool = False,
    ) -> tuple[dict[str, Any], int]:
        """One conversation: how it ended, and the questions that a person was asked. ``silent``: no attack's call."""
        started = ask({"do": "start", "user": user, "injection": injection})
        offered = frozenset(self.offers(started["prompt"])) if self.offers is not None else None
        talk = Conversation(
            policies=self.policies, agent=agent, said=started["prompt"], session=session, offered=offered
        )
        questions = 0
        tried = [(call, True) for call in started["own"]] + [(call, False) for call in started["attack"] if not silent]
        for call, own in tried:
            function, args = call["function"], call["args"]
            verdict = None
            if self.lists_only:
                if not self._listed(function, offered):
                    continue
            else:
                verdict = talk.decide(function, args)
                questions += isinstance(verdict, Ask)
                if isinstance(verdict, Deny) or (isinstance(verdict, Ask) and not own and not self.all_approved):
                    continue
                if isinstance(verdict, Ask):
                    talk.approved(function, args, verdict)
            answer = ask({"do": "call", "function": function, "args": args})
            talk.came_back(function, args, answer, verdict)
        self.microseconds += talk.microseconds
        return ask({"do": "finish"}), questions

    def _listed(self, function: str, offered: frozenset[str] | None) -> bool:
        loaded = (self.policies or {}).get(function)
        allowed = loaded is not None and any(rule.decision != "deny" for rule in loaded.policy.rules)
        return allowed and (offered is None or function in offered)


def static(policies: Mapping[str, LoadedPolicy]) -> dict[str, LoadedPolicy]:
    """``policies`` as lists of what arguments may be: nothing of the conversation counts."""
    made: dict[str, LoadedPolicy] = {}
    for name, loaded in policies.items():
        rules = tuple(
            rule.model_copy(
                update={
                    "args": {
                        key: arg.model_copy(update={"origins": None, "links": None, "without": ()})
                        for key, arg in rule.args.items()
                    },
                    "after": (),
                    "limits": (),
                }
            )
            for rule in loaded.policy.rules
        )
        policy = loaded.policy.model_copy(update={"rules": rules, "on_untrusted": "allow"})
        made[name] = LoadedPolicy(policy=policy, file=loaded.file, lines=loaded.lines)
    return made


def agent_of(policies: Mapping[str, LoadedPolicy]) -> str:
    """The name that the rules are for most often."""
    named = Counter(
        agent for loaded in policies.values() for rule in loaded.policy.rules for agent in rule.agents if agent != "any"
    )
    return named.most_common(1)[0][0] if named else "assistant"


def offers_in(file: Path | None) -> Offers | None:
    """``offered`` of a file: which tools the graph offers for what the user said."""
    if file is None:
        return None
    spec = importlib.util.spec_from_file_location("offers_of_a_suite", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.offered


def measure(
    ask: Ask_, name: str, policies: Mapping[str, LoadedPolicy], offers: Offers | None, session: Mapping[str, Any]
) -> dict[str, Any]:
    suite = ask({"do": "suite", "name": name, "version": VERSION})
    rows = [
        Row("no policy", None, None),
        Row("tool lists", policies, offers, lists_only=True),
        Row("static lists", static(policies), None),
        Row("ours", policies, offers),
        Row("ours, all approved", policies, offers, all_approved=True),
    ]
    agent = agent_of(policies)
    text_only = rows[0].by_words_alone(ask, suite)
    measured = [row.measured(ask, suite, text_only, agent, session) for row in rows]
    times = rows[3].microseconds
    return {
        "suite": name,
        "version": VERSION,
        "agentdojo": suite["agentdojo"],
        "user_tasks": len(suite["user_tasks"]),
        "injection_tasks": len(suite["injection_tasks"]),
        "pairs": measured[0]["pairs"],
        "decision_us_p50": round(statistics.median(times), 1) if times else None,
        "rows": measured,
    }


def table(found: Mapping[str, Any]) -> str:
    counts = f"{found['user_tasks']} user tasks, {found['injection_tasks']} attacks, {found['pairs']} pairs"
    lines = [
        f"{found['suite']}: {counts}",
        f"{'':<20}{'utility':>9}{'attacks':>9}{'no text':>9}{'questions':>11}",
    ]
    for row in found["rows"]:
        lines.append(
            f"{row['row']:<20}{row['utility']:>9.1%}{row['attack_success']:>9.1%}"
            f"{row['attack_success_without_text_only']:>9.1%}{row['questions_per_task']:>11.2f}"
        )
    ours = found["rows"][3]
    lines += [f"got through ours: {ours['succeeded'] or 'nothing'}; by words alone: {ours['text_only'] or 'none'}"]
    return "\n".join([*lines, f"a decision with its explanation: p50 {found['decision_us_p50']} microseconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--suite", required=True, help="banking, slack, travel or workspace")
    parser.add_argument("--policies", type=Path, help="a folder of policies, one for each tool")
    parser.add_argument("--offers", type=Path, help="a file with offered(said); else offers.py in that folder")
    parser.add_argument("--session", default="{}", help="who speaks, as a JSON object")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = options.policies or OWN / options.suite
    if not folder.is_dir():
        parser.error(f"there are no policies for {options.suite!r} here; name a folder with --policies")
    beside = folder / "offers.py"
    offers = offers_in(options.offers or (beside if beside.is_file() else None))
    with worker(python_of_its_own()) as ask:
        found = measure(ask, options.suite, load_policies(folder), offers, json.loads(options.session))
    sys.stdout.write((json.dumps({**found, "policies": str(folder)}) if options.json else table(found)) + "\n")


if __name__ == "__main__":
    main()
