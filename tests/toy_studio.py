"""A studio on loopback whose jobs need no models."""

from __future__ import annotations

import http.client
import json
import threading
import time
from pathlib import Path

from triptych.studio.job import Job
from triptych.studio.job_queue import Runner
from triptych.studio.server import app_of, free_socket
from triptych.studio.studio import Studio


class InstantRunner:
    """Every job is done at once."""

    def run(self, job: Job, heard) -> None:
        heard.progress("working", 1, 1)

    def cancel(self, job_id: str) -> None:
        pass


class Served:
    """A studio on a port of loopback."""

    def __init__(self, folder: Path, runner: Runner, body_s: float = 60.0) -> None:
        import uvicorn

        self.studio = Studio(folder, runner=runner)
        self.studio.start()
        self._socket = free_socket("127.0.0.1", 7960)
        self.port = self._socket.getsockname()[1]
        app = app_of(self.studio, body_s=body_s)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        run = {"target": self._server.run, "kwargs": {"sockets": [self._socket]}}
        self._thread = threading.Thread(**run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def ask(self, method: str, path: str, body: bytes | dict | None = None, **headers: str):
        """Return status, headers and content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if isinstance(body, dict):
            body, headers = (
                json.dumps(body).encode(),
                {"content-type": "application/json"} | headers,
            )
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kind = answer.headers.get("content-type", "")
        found = json.loads(content) if kind.startswith("application/json") else content
        return answer.status, answer.headers, found

    def upload(self, content: bytes, kind: str = "image/png"):
        """Return status and content of an upload's answer."""
        status, _, found = self.ask("POST", "/api/photos", content, **{"content-type": kind})
        return status, found

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self.studio.close()
