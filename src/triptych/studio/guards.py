"""What every request passes first: who it comes from, how large it is, how long it may take.

A page of another site that runs in the user's browser can reach a server on loopback. Such requests
are known by their Origin, and by a Host that is not ours (a name that was made to point here).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from triptych.studio.uploads import MOST_BYTES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BODY_SECONDS = 60.0
_MOST_JSON = 64 << 10

PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "frame-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
)
PORTRAIT_POLICY = "sandbox allow-scripts allow-downloads; frame-ancestors 'self'"
"""A portrait's page brings its own policy; it must not reach the studio either."""


class Refused(Exception):
    """A request is turned away.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """Turns away requests of other sites, bodies that are too large, and slow ones.

    Args:
        app: What follows.
        hosts: Names that this server goes by; None for any.
        body_s: Seconds within which a body must be there.
    """

    def __init__(
        self, app: App, hosts: tuple[str, ...] | None, *, body_s: float = BODY_SECONDS
    ) -> None:
        self._app, self._hosts, self._body_s = app, hosts, body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with why not."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        begun, refused, body = False, False, _Body(scope, receive, self._body_s)

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        async def answer(message: Message) -> None:
            nonlocal begun, refused
            if body.refusal is not None and not begun:
                refused = True  # whatever became of it further in
                await _refuse(headed, body.refusal)
            begun = True
            if not refused:
                await headed(message)

        try:
            self._check_origin(scope)
            body.check_announced()
            await self._app(scope, body.receive, answer)
        except Refused as refusal:
            if not begun:
                await _refuse(headed, refusal)

    def _check_origin(self, scope: Scope) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        name = _parts_of(f"//{host}").hostname or ""
        if self._hosts is not None and name not in self._hosts:
            raise Refused(421, f"this server does not go by the name {name[:80]!r}")
        origin = headers.get(b"origin")
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and origin is not None and _parts_of(origin).netloc != host:
            raise Refused(403, "the request comes from a page of another site")
        has_body = headers.get(b"content-length", "0") != "0" or b"transfer-encoding" in headers
        if changes and has_body:
            kind = headers.get(b"content-type", "").split(";")[0]
            if kind != "application/json" and not kind.startswith("image/"):
                raise Refused(415, "expected application/json, or a picture")


class _Body:
    """The body of a request, whose bytes and seconds are counted.

    Attributes:
        refusal: Why it is not read on.
    """

    def __init__(self, scope: Scope, receive: Receive, most_s: float) -> None:
        self._scope, self._receive, self._most_s = scope, receive, most_s
        self._most = MOST_BYTES if scope["path"] == "/api/photos" else _MOST_JSON
        self._size, self._whole = 0, False
        self._ends = asyncio.get_running_loop().time() + most_s
        self.refusal: Refused | None = None

    def check_announced(self) -> None:
        """Check the size that the header states.

        Raises:
            Refused: It is too large.
        """
        for name, value in self._scope["headers"]:
            if name.lower() == b"content-length" and int(value or b"0") > self._most:
                raise self._too_large()

    async def receive(self) -> Message:
        """Return the next part.

        Raises:
            Refused: The body is too large, or takes too long.
        """
        if self._whole:
            return await self._receive()  # a client that leaves
        try:
            left = max(0.0, self._ends - asyncio.get_running_loop().time())
            message = await asyncio.wait_for(self._receive(), left)
        except asyncio.TimeoutError as error:
            self.refusal = Refused(408, f"the request took more than {self._most_s:g} s")
            raise self.refusal from error
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > self._most:
            self.refusal = self._too_large()
            raise self.refusal
        return message

    def _too_large(self) -> Refused:
        return Refused(413, f"the request has more than {self._most >> 10} KB")


def _parts_of(address: str) -> SplitResult:
    """Return the parts of an address; those of none where it has no form of one."""
    try:
        return urlsplit(address)
    except ValueError:  # a bracket that opens no IPv6 address
        return urlsplit("")


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


async def _refuse(send: Send, refusal: Refused) -> None:
    body = json.dumps({"error": str(refusal)}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what follows of the body is not read
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
