"""The HTTP API: JSON in and out, by the same queue and gallery as the page."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

import triptych
from triptych.errors import UserError
from triptych.studio.guards import PORTRAIT_POLICY
from triptych.studio.studio import Studio
from triptych.studio.systems import capabilities
from triptych.studio.tasks import TASKS
from triptych.studio.tasks.compose import Compose
from triptych.studio.tasks.edit import Edit
from triptych.studio.tasks.export import Export
from triptych.studio.tasks.make import Make
from triptych.studio.tasks.photo import Align, Photo
from triptych.studio.tasks.style import Style
from triptych.studio.tasks.wall import MOST_HEADS, Wall
from triptych.studio.tasks.wear import Wear
from triptych.studio.uploads import MOST_BYTES, TYPES, Upload
from triptych.studio.workplace import ID_PATTERN

Id = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", description="as the studio gave it out")]
Seed = Annotated[int, Path(ge=0, le=2**32 - 1)]
FirstSeed = Annotated[int, Query(ge=0, le=2**32 - 1)]
_NEWEST = 40

for _task in TASKS.values():
    _task.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]


@dataclass(frozen=True)
class JobStatus:
    """What is known of a job."""

    id: str
    kind: str
    settings: dict[str, Any]
    title: str
    state: str
    created: str
    seconds: float
    error: str | None
    notes: list[str]
    stage: str
    done: int
    total: int
    seconds_left: float | None
    stage_seconds_left: float | None
    before: int | None
    resumable: bool


@dataclass(frozen=True)
class PortraitEntry:
    """A portrait of the gallery."""

    id: str
    title: str
    kind: str
    created: str
    file: str
    parent: str | None
    notes: list[str]
    has_page: bool
    has_regions: bool
    seed: int | None


def routes(studio: Studio) -> APIRouter:
    """Return all routes below /api."""
    router = APIRouter(prefix="/api")
    _add_jobs(router, studio)
    _add_portraits(router, studio)
    _add_photos(router, studio)

    @router.get("/status", tags=["studio"], summary="Version, tabs, known words, formats")
    def status() -> dict[str, Any]:
        return {"version": triptych.__version__, "most_bytes": MOST_BYTES, **capabilities()}

    return router


def _add_jobs(router: APIRouter, studio: Studio) -> None:
    def queued(task: Any) -> dict[str, Any]:
        settings = dataclasses.asdict(task)
        return studio.queue.status(studio.ask(task.kind, settings).id)

    asked: dict[str, Any] = {"status_code": 202, "response_model": JobStatus, "tags": ["jobs"]}

    @router.post("/wall", summary="Draw previews of heads", **asked)
    def wall(task: Wall) -> Any:
        return queued(task)

    @router.post("/make", summary="Make the head of a seed", **asked)
    def make(task: Make) -> Any:
        return queued(task)

    @router.post("/style", summary="Stylise a portrait by words", **asked)
    def style(task: Style) -> Any:
        return queued(task)

    @router.post("/edit", summary="Edit a portrait in one pass, by words or a picture", **asked)
    def edit(task: Edit) -> Any:
        return queued(task)

    @router.post("/wear", summary="Make the head of a seed in the style of a picture", **asked)
    def wear(task: Wear) -> Any:
        return queued(task)

    @router.post("/compose", summary="Make a head of regions of several seeds", **asked)
    def compose(task: Compose) -> Any:
        return queued(task)

    @router.post("/align", summary="Show what alignment finds in a photo", **asked)
    def align(task: Align) -> Any:
        return queued(task)

    @router.post("/photo", summary="Make a portrait of a photo", **asked)
    def photo(task: Photo) -> Any:
        return queued(task)

    @router.post("/export", summary="Pack a portrait in formats of other programs", **asked)
    def export(task: Export) -> Any:
        return queued(task)

    @router.get("/jobs", response_model=list[JobStatus], tags=["jobs"], summary="The newest jobs")
    def jobs(most: Annotated[int, Query(ge=1, le=300)] = _NEWEST) -> Any:
        return studio.queue.statuses(most)

    @router.get("/jobs/{job}", response_model=JobStatus, tags=["jobs"], summary="One job")
    def job(job: Id) -> Any:
        return studio.queue.status(job)

    @router.post("/jobs/{job}/cancel", response_model=JobStatus, tags=["jobs"], summary="End a job")
    def cancel(job: Id) -> Any:
        return studio.queue.status(studio.queue.cancel(job).id)

    @router.post(
        "/jobs/{job}/resume", response_model=JobStatus, tags=["jobs"], summary="Let a job go on"
    )
    def resume(job: Id) -> Any:
        return studio.queue.status(studio.queue.resume(job).id)

    @router.get("/exports/{job}", tags=["portraits"], summary="The zip file of an export")
    def exported(job: Id) -> FileResponse:
        file = _there(studio.workplace.export(job), "export")
        return FileResponse(file, media_type="application/zip", filename="portrait.zip")


def _add_portraits(router: APIRouter, studio: Studio) -> None:
    tags: Any = ["portraits"]

    @router.get(
        "/portraits", response_model=list[PortraitEntry], tags=tags, summary="All, newest first"
    )
    def portraits() -> Any:
        return studio.gallery.entries()

    @router.get(
        "/portraits/{portrait}", response_model=PortraitEntry, tags=tags, summary="One portrait"
    )
    def portrait(portrait: Id) -> Any:
        return studio.gallery.entry(portrait)

    @router.delete("/portraits/{portrait}", status_code=204, tags=tags, summary="Remove one")
    def remove(portrait: Id) -> None:
        studio.gallery.remove(portrait)

    @router.get("/portraits/{portrait}/page", tags=tags, summary="The page that renders it")
    def page(portrait: Id) -> FileResponse:
        file = _there(studio.gallery.page(portrait), "page of this portrait")
        headers = {"Content-Security-Policy": PORTRAIT_POLICY}
        return FileResponse(file, media_type="text/html", headers=headers)

    @router.get("/portraits/{portrait}/thumbnail", tags=tags, summary="A small picture")
    def thumbnail(portrait: Id) -> FileResponse:
        file = _there(studio.gallery.thumbnail(portrait), "picture of this portrait")
        return FileResponse(file, media_type="image/jpeg")

    @router.get("/portraits/{portrait}/file", tags=tags, summary="Its file, for other verbs")
    def portrait_file(portrait: Id) -> FileResponse:
        file = _there(studio.gallery.file(portrait), "file of this portrait")
        return FileResponse(file, filename="portrait.safetensors")

    @router.get("/heads", tags=tags, summary="Which heads of the seed wall are drawn already")
    def heads(first: FirstSeed, count: Annotated[int, Query(ge=1, le=MOST_HEADS)]) -> list[int]:
        seeds = range(first, first + count)
        return [seed for seed in seeds if studio.workplace.head(seed).is_file()]

    @router.get("/heads/{seed}", tags=tags, summary="A head of the seed wall")
    def head(seed: Seed) -> FileResponse:
        return FileResponse(_there(studio.workplace.head(seed), "preview"), media_type="image/jpeg")


def _add_photos(router: APIRouter, studio: Studio) -> None:
    @router.post(
        "/photos",
        status_code=201,
        response_model=Upload,
        tags=["photos"],
        summary=f"Upload a photo: {TYPES}, as the body, at most {MOST_BYTES >> 20} MB",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(request: Request) -> Any:
        name = await studio.uploads.receive(request.stream())
        return await run_in_threadpool(studio.uploads.decode, name)

    @router.get("/photos/{photo}", tags=["photos"], summary="An uploaded photo, as decoded")
    def photo(photo: Id) -> FileResponse:
        return FileResponse(studio.uploads.find(photo), media_type="image/png")

    @router.get("/aligned/{job}", tags=["photos"], summary="What alignment found")
    def aligned(job: Id) -> FileResponse:
        return FileResponse(
            _there(studio.workplace.aligned(job), "overlay"), media_type="image/png"
        )


class NotThere(UserError):
    """What a request names does not exist."""


def _there(file: Any, what: str) -> Any:
    if not file.is_file():
        raise NotThere(f"there is no such {what}")
    return file
