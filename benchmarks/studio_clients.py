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
_POLL_S, _LOOK_S, _PATIENCE_S = 0.5, 5.0, 120.0
_MOST_CLIENTS, _MOST_SECONDS = 100, 300


@dataclass
class Heard:
    """What all clients saw.

    Attributes:
        answers: How often each HTTP status came.
        ended: How often jobs ended in each state.
        lost: Jobs that were taken and never ended.
        names: Identifiers of the jobs that were taken.
    """

    answers: Counter[int] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client:
    """Queues one job after the other on a connection of its own."""

    def __init__(self, port: int, number: int, heard: Heard) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._number, self._heard = number, heard

    def run(self, until: float) -> None:
        """Work until a time of `time.monotonic`, and until the last job has ended."""
        turn = self._number
        while time.monotonic() < until:
            status, job = self._ask("POST", "/api/wall", {"first": turn % _HEADS, "count": 1})
            turn += 1
            if status != 202:
                time.sleep(_POLL_S)
                continue
            with self._heard.lock:
                self._heard.names.append(job["id"])
            self._wait_for(job["id"])

    def _wait_for(self, job: str) -> None:
        ends = time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends:
            status, found = self._ask("GET", f"/api/jobs/{job}")
            if status == 200 and found["state"] not in ("waiting", "running"):
                with self._heard.lock:
                    self._heard.ended[found["state"]] += 1
                return
            time.sleep(_POLL_S)
        with self._heard.lock:
            self._heard.lost.append(job)

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
                "ended": heard.ended,
                "lost": len(heard.lost),
                "answers": {str(status): count for status, count in heard.answers.items()},
                "server_mb": memory,
                "exit_code": ended,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
