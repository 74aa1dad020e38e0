"""The web server: the page, the API, and errors in words."""

from __future__ import annotations

import errno
import socket
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from triptych.errors import UserError, import_optional
from triptych.studio.guards import LOOPBACK, PAGE_POLICY, Guard, Refused
from triptych.studio.job import INTERNAL_ERROR, words_of
from triptych.studio.job_queue import QueueFull
from triptych.studio.uploads import NoPicture, TooLarge

if TYPE_CHECKING:
    from triptych.studio.studio import Studio

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_MOST_PORTS, _BACKLOG = 50, 2048
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def app_of(studio: Studio, hosts: tuple[str, ...] | None = LOOPBACK, **limits: float) -> Any:
    """Return the ASGI application of a studio.

    Args:
        studio: What it serves.
        hosts: Names that it goes by; None for any.
        **limits: `body_s` of `Guard`.
    """
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError, StarletteHTTPException
    from fastapi.responses import JSONResponse, Response

    from triptych.studio.api import NotThere, routes

    app = FastAPI(
        title="Triptych studio",
        version=_version(),
        docs_url=None,  # it would fetch its programs from elsewhere; /api is our own page
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.include_router(routes(studio))

    assets = {
        path.name: path.read_bytes() for path in (files("triptych.studio") / "page").iterdir()
    }

    def served(name: str) -> Response:
        kind = _TYPES[name[name.rindex(".") :]]
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
        return Response(assets[name], media_type=kind, headers=headers)

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return served("index.html")

    @app.get("/api", include_in_schema=False)
    def api_page() -> Response:
        return served("api.html")

    @app.get("/page/{name}", include_in_schema=False)
    def asset(name: str) -> Response:
        if name not in assets:  # a table, not a folder: no name leads anywhere else
            raise NotThere("there is no such file")
        return served(name)

    statuses = {QueueFull: 429, TooLarge: 413, NoPicture: 415, NotThere: 404}

    @app.exception_handler(UserError)
    def mistake(request: Request, error: UserError) -> JSONResponse:
        status = 404 if str(error).startswith("there is no") else 422
        return JSONResponse({"error": str(error)}, statuses.get(type(error), status))

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": _one_line(error.errors())}, 422)

    @app.exception_handler(Refused)
    def refused(request: Request, refusal: Refused) -> JSONResponse:
        closing = {"Connection": "close"}  # what follows of the body is not read
        return JSONResponse({"error": str(refusal)}, refusal.status, closing)

    @app.exception_handler(StarletteHTTPException)
    def without_route(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(OSError)
    def disk(request: Request, error: OSError) -> JSONResponse:
        return JSONResponse({"error": words_of(error)}, 507 if error.errno in _FULL else 500)

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": INTERNAL_ERROR}, 500)

    return Guard(app, hosts, **limits)


def check_installed() -> None:
    """Check that the packages of the studio are here.

    Raises:
        MissingDependency: One is not; the message has the line that installs it.
    """
    import_optional("fastapi", "studio")
    import_optional("uvicorn", "studio")


def free_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port, or on the next free one.

    Raises:
        UserError: None of many is free, or the host is not this machine.
    """
    for candidate in range(port, min(port + _MOST_PORTS, 65_536)):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            found = socket.socket(family, socket.SOCK_STREAM)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, candidate))
            found.listen(_BACKLOG)  # a browser that is opened at once waits instead of failing
            return found
        except OSError as error:
            found.close()
            if error.errno not in _TAKEN:
                raise UserError(
                    f"--host {host}: {error.strerror or error}; expected an address of this machine"
                ) from error
    raise UserError(f"--port {port}: it and the next {_MOST_PORTS - 1} are taken; choose another")


def serve(app: Any, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        timeout_keep_alive=20,
        limit_concurrency=400,
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _one_line(errors: Any) -> str:
    """Return what is wrong with a request, in words."""
    parts = []
    for error in errors[:3]:
        place = ".".join(str(step) for step in error["loc"] if step not in ("body", "path"))
        said = str(error["msg"]).removeprefix("Value error, ")
        parts.append(f"{place}: {said}" if place else said)
    return "; ".join(parts)


def _version() -> str:
    import triptych

    return triptych.__version__
