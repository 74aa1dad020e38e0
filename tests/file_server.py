"""A web server on this machine with one file and any bad habit a test asks for."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Habit = Callable[["Handler"], None]


class FileServer:
    """Serves `content` under any path; the n-th request is answered by the n-th habit, if any.

    Attributes:
        content: The file.
        habits: Answers to the next requests; afterwards the server is honest.
        requests: Paths and headers that were asked for, in order.
    """

    def __init__(self) -> None:
        self.content = b""
        self.habits: list[Habit] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.files = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where the server listens."""
        return int(self._server.server_address[1])

    def address(self, path: str = "model.pkl", host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}/{path}"

    @property
    def tag(self) -> str:
        """The entity tag of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    @property
    def ranges(self) -> list[str]:
        """What part each request asked for; empty for the whole."""
        return [headers.get("range", "") for _, headers in self.requests]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    @property
    def files(self) -> FileServer:
        return self.server.files  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        files = self.files
        headers = {name.lower(): value for name, value in self.headers.items()}
        files.requests.append((self.path, headers))
        habit = files.habits.pop(0) if files.habits else honest()
        self.close_connection = True
        habit(self)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def start(self) -> int:
        """Return the first byte that is asked for, 0 where another version is meant."""
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", self.files.tag) == self.files.tag
        return int(asked[1]) if asked and same else 0

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """Send status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def cut(self) -> None:
        """Break the connection."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class _Answer:
    """An answer that is honest but for what is changed here.

    Attributes:
        change: Headers to send otherwise; None leaves one out.
        content: Other bytes than the file's.
        cut_after: Break the connection after so many bytes.
        ignore_range: Send everything always.
        stall: Stop after `cut_after` bytes, but keep the connection.
    """

    change: dict[str, str | None] = field(default_factory=dict)
    content: bytes | None = None
    cut_after: int | None = None
    ignore_range: bool = False
    stall: threading.Event | None = None

    def __call__(self, handler: Handler) -> None:
        files = handler.files
        content = files.content if self.content is None else self.content
        start = 0 if self.ignore_range else handler.start()
        if start and start >= len(content):
            handler.begin(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        body = content[start:]
        headers: dict[str, str | None] = {"Content-Length": str(len(body)), "ETag": files.tag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers |= self.change
        handler.begin(
            206 if start else 200, {name: value for name, value in headers.items() if value}
        )
        handler.wfile.write(body if self.cut_after is None else body[: self.cut_after])
        if self.stall is not None:
            handler.wfile.flush()
            self.stall.wait(20)
        elif self.cut_after is not None:
            handler.cut()


def honest() -> Habit:
    """The file, or the part that is asked for."""
    return _Answer()


def breaking_off(after: int, *, tag: bool = True) -> Habit:
    """Lose the connection after so many bytes."""
    return _Answer({} if tag else {"ETag": None}, cut_after=after)


def stalling(after: int, until: threading.Event) -> Habit:
    """Send nothing more after so many bytes."""
    return _Answer(cut_after=after, stall=until)


def claiming(length: int | None, *, cut_after: int | None = None) -> Habit:
    """Claim another length, or none."""
    return _Answer({"Content-Length": None if length is None else str(length)}, cut_after=cut_after)


def serving(content: bytes, **headers: str) -> Habit:
    """Send other bytes, under the same entity tag."""
    return _Answer({name.replace("_", "-"): v for name, v in headers.items()}, content=content)


def ignoring_ranges() -> Habit:
    """Send everything always."""
    return _Answer(ignore_range=True)


def glueing(content: bytes, tag: str) -> Habit:
    """Send the rest of another file although the version is not the one that was named."""

    def answer(handler: Handler) -> None:
        asked = re.match(r"bytes=(\d+)-", handler.headers["Range"])
        assert asked is not None
        start = int(asked[1])
        described = f"bytes {start}-{len(content) - 1}/{len(content)}"
        rest = content[start:]
        headers = {"Content-Length": str(len(rest)), "Content-Range": described, "ETag": tag}
        handler.begin(206, headers)
        handler.wfile.write(rest)

    return answer


def another_part(start: int) -> Habit:
    """Send a part that was not asked for."""

    def answer(handler: Handler) -> None:
        content = handler.files.content
        described = f"bytes {start}-{len(content) - 1}/{len(content)}"
        headers = {"Content-Length": str(len(content) - start), "Content-Range": described}
        handler.begin(206, headers)
        handler.wfile.write(content[start:])

    return answer


def status(code: int) -> Habit:
    """Answer with a status and no file."""
    return lambda handler: handler.begin(code, {"Content-Length": "0"})


def redirect(address: str, code: int = 302) -> Habit:
    """Send the visitor elsewhere."""
    return lambda handler: handler.begin(code, {"Location": address, "Content-Length": "0"})


def chunked(pieces: int, *, broken: bool = False) -> Habit:
    """Send the file in chunks, without its length; perhaps without the last chunk."""

    def answer(handler: Handler) -> None:
        content = handler.files.content
        handler.begin(200, {"Transfer-Encoding": "chunked", "ETag": handler.files.tag})
        size = -(-len(content) // pieces)
        for piece in range(pieces - 1 if broken else pieces):
            block = content[piece * size : (piece + 1) * size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        if broken:
            handler.cut()
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def endless(block: bytes) -> Habit:
    """Never stop sending."""

    def answer(handler: Handler) -> None:
        handler.begin(200, {"ETag": '"endless"'})
        try:
            while True:
                handler.wfile.write(block)
        except OSError:
            return

    return answer
