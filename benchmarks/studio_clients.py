"""Many clients of one studio on loopback: nothing lost, no error, memory flat.

    python benchmarks/studio_clients.py --clients 50 --seconds 120

starts `triptych studio` in a folder of its own. Each client queues a small job (one head of the
seed wall), asks for it until it is done, and begins anew, until the time is over.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

_HEADS = 24
_POLL_S, _LOOK_S = 0.5, 5.0
_MOST_CLIENTS, _MOST_SECONDS = 100, 300


@dataclass
class Heard:
    """What all clients saw.

    Attributes:
        answers: How often each HTTP status came.
        states: What became of the jobs that were taken until the time was over.
        names: Their identifiers.
    """

    answers: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client:
    """Queues one job after the other on a connection of its own."""

    def __init__(self, port: int, number: int, heard: Heard) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._number, self._heard = number, heard

    def run(self, until: float) -> None:
        """Work until a time of `time.monotonic`."""
        turn = self._number
        while time.monotonic() < until:
            status, job = self._ask("POST", "/api/wall", {"first": turn % _HEADS, "count": 1})
            turn += 1
            if status == 202:
                state = self._state(job["id"], until)
                with self._heard.lock:
                    self._heard.names.append(job["id"])
                    self._heard.states[state] += 1

    def _state(self, job: str, until: float) -> str:
        """Return what becomes of a job; "lost": the studio knows nothing of it."""
        while True:
            status, found = self._ask("GET", f"/api/jobs/{job}")
            if status != 200:
                return "lost"
            if found["state"] not in ("waiting", "running") or time.monotonic() > until:
                return found["state"]
            time.sleep(_POLL_S)

    def _ask(self, method: str, path: str, content: dict | None = None) -> tuple[int, dict]:
        body = None if content is None else json.dumps(content)
        self._line.request(method, path, body, {"Content-Type": "application/json"})
        answer = self._line.getresponse()
        found = json.loads(answer.read())
        with self._heard.lock:
            self._heard.answers[answer.status] += 1
        return answer.status, found


def _run(
    clients: int, seconds: float, port: int, server: psutil.Process, heard: Heard
) -> list[int]:
    """Run the clients and return the server's memory in MB every few seconds."""
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=Client(port, number, heard).run, args=(until,))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        memory.append(server.memory_info().rss >> 20)
        time.sleep(_LOOK_S)
    return memory


def main() -> None:
    """Run the clients and print what they saw, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    asked = parser.parse_args()
    if not (1 <= asked.clients <= _MOST_CLIENTS and 1 <= asked.seconds <= _MOST_SECONDS):
        parser.error(f"at most {_MOST_CLIENTS} clients and {_MOST_SECONDS} seconds")
    heard = Heard()
    with tempfile.TemporaryDirectory() as folder:
        command = ["studio", "--out", f"{folder}/studio", "--no-browser", "--port", "7900"]
        studio = subprocess.Popen(
            [sys.executable, "-m", "triptych", *command], stdout=subprocess.PIPE, text=True
        )
        try:
            assert studio.stdout is not None
            port = int(studio.stdout.readline().rsplit(":", 1)[1])
            memory = _run(asked.clients, asked.seconds, port, psutil.Process(studio.pid), heard)
        finally:
            studio.terminate()
            ended = studio.wait(60)
    print(
        json.dumps(
            {
                "clients": asked.clients,
                "jobs": len(heard.names),
                "distinct": len(set(heard.names)),
                "states": heard.states,
                "answers": {str(status): count for status, count in heard.answers.items()},
                "server_mb": memory,
                "exit_code": ended,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
