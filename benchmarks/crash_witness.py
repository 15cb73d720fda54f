"""Who counts what was really paid, outside of the processes that are killed and of their database."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

__all__ = ["Witness", "say"]


class Witness:
    """A Unix socket that takes one line of JSON a connection, in the order in which they came, and answers with one.

    ``{"pay": token}`` is an effect: it counts once the line has arrived, whether or not its sender lives to hear so.
    ``{"paid": token}`` is answered with how often it was. ``{"worker": id, …}`` is put into that worker's queue.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.effects: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self.heard: dict[int, queue.Queue[dict[str, Any]]] = {}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(64)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        say(self.path, {"close": True})
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        # One connection after the other, so that a payment on its way is counted before anybody asks about it.
        while True:
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(5)
                try:
                    with connection.makefile("rb") as file:
                        line = file.readline()
                    if not line.endswith(b"\n"):
                        continue  # it was killed before it had said all of it
                    told = json.loads(line)
                    connection.sendall(json.dumps(self._take(told)).encode() + b"\n")
                except OSError:
                    continue  # it was killed before it could hear the answer
                if "close" in told:
                    return

    def _take(self, told: dict[str, Any]) -> Any:
        match told:
            case {"pay": token}:
                self.effects[token] += 1
            case {"paid": token}:
                return self.effects[token]
            case {"unknown": token}:
                self.unknown.add(token)
            case {"worker": worker, **rest}:
                self.heard[worker].put(rest)
            case _:
                pass
        return None


def say(path: Path | str, told: dict[str, Any]) -> Any:
    """Tell the witness something and give what it answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(json.dumps(told).encode() + b"\n")
        with connection.makefile("rb") as file:
            return json.loads(file.readline())
