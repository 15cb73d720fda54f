"""Attacks on who reads the answer: what is no answer, what claims to be somebody else's, what is code when read."""

from __future__ import annotations

import asyncio
from typing import Any

from bailiwick.sandbox.contract.attack import Attack, Scene
from bailiwick.sandbox.contract.judges import Judge, ended, failed_as, few_spans, true_answer
from bailiwick.sandbox.contract.one_call import OneCall
from bailiwick.sandbox.spec import Result

__all__ = ["ANSWERING"]

_NO_JSON = {
    "deep": "a value nested 500 levels deep",
    "bottomless": "a value that contains itself",
    "object": "an object",
    "nan": "NaN",
    "surrogate": "half a character",
    "bytes": "bytes",
    "keys": "a mapping with keys that are no text",
}


def _answers(name: str, tried: str, promise: str, function: str, judge: Judge, **args: Any) -> Attack:
    attempt = OneCall(file="answer.py", function=function, judge=judge, args=args)
    return Attack(name=name, tried=tried, promise=promise, attempt=attempt)


def _ends(name: str, tried: str, promise: str, what: str, judge: Judge) -> Attack:
    return _answers(name, tried, promise, "end_with", judge, what=what)


def _writes(what: str, tried: str) -> Attack:
    promise = "what is no frame ends the reading, and the host goes on"
    return _answers(f"frame-{what}", tried, promise, "write_what_is_no_frame", true_answer, what=what)


def _bounded_text(result: Result) -> str:
    if wrong := failed_as("ValueError")(result):
        return wrong
    told = repr(result.failure)
    return "" if len(told) < 20_000 else f"{len(told)} characters were taken back"


async def _pickle(scene: Scene) -> str:
    mark = scene.folder / "unpickled"
    for framed in (False, True):
        result = await scene.call("answer.py", "answer_with_a_pickle", {"file": str(mark), "framed": framed})
        if await asyncio.to_thread(mark.exists):
            return "the host ran the pickle that a tool answered with"
        if wrong := true_answer(result):
            return wrong
    return ""


ANSWERING: tuple[Attack, ...] = (
    _answers("forge", "writes replies to every descriptor", "a tool cannot speak for the runner", "forge", true_answer),
    _answers(
        "forge-lengths",
        "announces four gigabytes to the host",
        "a length is not believed",
        "forge_lengths",
        true_answer,
    ),
    _writes("garbage", "writes frames that are no text"),
    _writes("deep", "writes frames of 20,000 open brackets"),
    _writes("oversized", "writes frames that are longer than a result may be"),
    _writes("nan", "writes frames that only a lenient reader takes"),
    Attack(
        name="pickle",
        tried="answers with a pickle that runs code in whoever reads it",
        promise="the host reads JSON, and nothing that is code",
        attempt=_pickle,
    ),
    _answers(
        "spans",
        "claims 500 spans with trace ids, parents and times of its choice",
        "spans are few and bounded, and whose they are is not the tool's to say",
        "forge_spans",
        few_spans,
    ),
    _answers("large", "answers with too much", "a result has a size", "answer_with", ended("output"), what="large"),
    *(
        _answers(
            f"answer-{what}",
            f"answers with {tried}",
            "a result is JSON, and not deep",
            "answer_with",
            failed_as("ResultNotJSON"),
            what=what,
        )
        for what, tried in _NO_JSON.items()
    ),
    _ends("exit", "ends its process", "ending the process is no answer", "exit", failed_as("ToolExited")),
    _ends("system-exit", "raises SystemExit", "SystemExit is a failure", "system exit", failed_as("SystemExit")),
    _ends(
        "interrupt",
        "raises KeyboardInterrupt",
        "KeyboardInterrupt is a failure",
        "interrupt",
        failed_as("KeyboardInterrupt"),
    ),
    _ends("segfault", "crashes", "a crash is told", "segfault", ended("signal")),
    _ends("kill-self", "kills itself", "a kill is told, and is not called memory", "kill", ended("signal")),
    _ends("kill-all", "kills everything it can", "the runner outlives kill(-1)", "kill all", ended("ok", "error")),
    _ends("loud", "raises an error of a million characters", "an exception's text is bounded", "loud", _bounded_text),
)
