"""One HTTP request for a file, or for the rest of a file that is partly here."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import triptych

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_RETRYABLE = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)$")
_UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d+)$")


class PermanentError(Exception):
    """This address does not serve the file; a retry would not help."""


class TransientError(Exception):
    """A failure that a retry may overcome: a lost connection, a busy server."""


class BeyondEndError(Exception):
    """The requested position lies beyond the end of the file, whose length is `total` if known."""

    def __init__(self, total: int | None) -> None:
        super().__init__("the file on the server is shorter than the part that is here")
        self.total = total


@dataclass(frozen=True, eq=False)
class Reply:
    """A server's answer.

    Attributes:
        start: Position in the file of the first byte that follows.
        total: Length of the whole file as the server claims it; None if it does not say.
        validator: Entity tag or date of this version of the file; empty if the server sends none.
        stream: The bytes.
    """

    start: int
    total: int | None
    validator: str
    stream: http.client.HTTPResponse

    def blocks(self, size: int = 1 << 18) -> Iterator[bytes]:
        """Yield the bytes as they arrive.

        Raises:
            TransientError: The connection was lost, or no byte came for too long.
        """
        while True:
            try:
                block = self.stream.read1(size)
            except (OSError, http.client.HTTPException) as error:
                raise TransientError(_reason(error)) from error
            if not block:
                return
            yield block


@contextmanager
def request(address: str, start: int, validator: str, timeout_s: float) -> Iterator[Reply]:
    """Request a file from a position on.

    The request names the version that the earlier bytes belong to (If-Range), so the server sends
    either the rest of that version or the whole of a newer one.

    Args:
        address: https, or http on this machine.
        start: Number of bytes that are here already.
        validator: `Reply.validator` of the response they came from.
        timeout_s: Longest time without a byte.

    Raises:
        PermanentError: The server refuses, the file does not exist, or an address is not safe.
        TransientError: The server cannot be reached now, or is busy.
        BeyondEndError: The file on the server is not longer than `start`.
    """
    _check_address(address, loopback=_is_loopback(address))
    headers = {"User-Agent": f"triptych/{triptych.__version__}", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    asked = urllib.request.Request(address, headers=headers)
    try:
        stream = urllib.request.build_opener(_SafeRedirects).open(asked, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise PermanentError(f"the server cannot prove who it is: {error.reason}") from error
        raise TransientError(_reason(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise TransientError(_reason(error)) from error
    with stream:
        yield _reply(stream, start)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https addresses only, or from this machine to itself."""

    max_redirections = 5
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        _check_address(newurl, loopback=_is_loopback(req.full_url))
        known = 307 if code == 308 else code  # Python 3.10 does not know 308
        return super().redirect_request(req, fp, known, msg, headers, newurl)


def _check_address(address: str, *, loopback: bool) -> None:
    scheme = urllib.parse.urlsplit(address).scheme
    if scheme == "https" or (scheme == "http" and loopback and _is_loopback(address)):
        return
    raise PermanentError(f"the address {_shown(address)} is not safe: expected https")


def _is_loopback(address: str) -> bool:
    return urllib.parse.urlsplit(address).hostname in _LOOPBACK


def _refusal(error: urllib.error.HTTPError) -> Exception:
    """Return the error that a status code means."""
    code = error.code
    if code == 416:
        described = _UNSATISFIED_RANGE.match(error.headers.get("Content-Range", ""))
        return BeyondEndError(int(described[1]) if described else None)
    if code in _RETRYABLE:
        return TransientError(f"the server answered {code} {error.reason}")
    if code in (401, 403):
        return PermanentError(f"the server refuses ({code}); it may want a login")
    if code in (404, 410):
        return PermanentError(f"the file is not there ({code})")
    return PermanentError(f"the server answered {code} {error.reason}")


def _reply(stream: http.client.HTTPResponse, start: int) -> Reply:
    encoding = stream.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise PermanentError(f"the server sends the file in another form ({encoding})")
    validator = _validator(stream.headers)
    if stream.status == 200:
        return Reply(0, stream.length, validator, stream)
    if stream.status != 206:
        raise PermanentError(f"the server answered {stream.status} without a file")
    described = _CONTENT_RANGE.match(stream.headers.get("Content-Range", ""))
    if described is None or int(described[1]) != start:
        raise TransientError("the server sent another part of the file than was requested")
    total = None if described[2] == "*" else int(described[2])
    return Reply(start, total, validator, stream)


def _validator(headers: http.client.HTTPMessage) -> str:
    """Return a strong entity tag, else the date of the last change, else an empty text."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "nothing came from the server for too long"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection was lost"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _shown(address: str) -> str:
    """Return an address without its query, which may hold a signature."""
    return urllib.parse.urlsplit(address)._replace(query="").geturl()
