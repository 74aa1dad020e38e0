"""The studio's page in a real browser: from a wall of heads to a zip file."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from system_chromium import CHROMIUM, PATIENCE_MS, SOFTWARE, needs_chromium, playwright
from toy_studio import Served

from triptych.export.html.page import save_page
from triptych.portrait import TriPlanePortrait
from triptych.studio.gallery import PortraitRecord
from triptych.studio.job import Job
from triptych.studio.job_queue import JobCancelled, JobFailed
from triptych.studio.systems import capabilities

pytestmark = needs_chromium


class ToyRunner:
    """Makes what jobs make, of one ball."""

    def __init__(self, ball: TriPlanePortrait) -> None:
        self.ball, self.place = ball, None
        self.told = threading.Event()

    def run(self, job: Job, heard) -> None:
        heard.progress("working", 1, 3)
        if job.kind == "wall":
            for seed in range(job.settings["first"], job.settings["first"] + job.settings["count"]):
                self._picture(self.place.head(seed))
        elif job.settings.get("prompt") == "slow":
            assert self.told.wait(60)
            raise JobCancelled
        elif job.kind == "style":
            raise JobFailed("it knows no such word; say it in English")
        elif job.kind == "export":
            with zipfile.ZipFile(self.place.export(job.id), "w") as archive:
                archive.writestr("portrait.html", "<p>")
        elif job.kind in ("make", "edit", "wear", "compose"):
            folder = self.place.portrait(job.id)
            folder.mkdir()
            (folder / "portrait.safetensors").write_bytes(b"planes")
            self._picture(folder / "thumbnail.jpg")
            save_page(folder / "page.html", self.ball)
            record = PortraitRecord(
                title="<i>Seed</i>",
                kind=job.kind,
                created="2026-01-01T00:00:00",
                seed=job.settings.get("seed"),
            )
            self.gallery.add(job.id, record)

    def cancel(self, job_id: str) -> None:
        self.told.set()

    def _picture(self, path: Path) -> None:
        Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(path, "JPEG")


@pytest.fixture(scope="module")
def served(tmp_path_factory, ball) -> Iterator[Served]:
    runner = ToyRunner(ball)
    running = Served(tmp_path_factory.mktemp("studio"), runner)
    runner.place, runner.gallery = running.studio.workplace, running.studio.gallery
    yield running
    running.close()


def soon(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture
def every_tab(monkeypatch) -> None:
    """Let all models be here."""
    known = capabilities()
    known |= {"one_pass": True, "wear": True, "regions": ["face", "hair"]}
    known["tabs"] = dict.fromkeys(known["tabs"], True)
    monkeypatch.setattr("triptych.studio.api.capabilities", lambda: known)
    monkeypatch.setattr("triptych.studio.studio.check_here", lambda kind: None)


def asked(served: Served, kind: str) -> dict:
    """Return the settings of the newest job of a kind."""
    jobs = served.ask("GET", "/api/jobs")[2]
    return next(job["settings"] for job in jobs if job["kind"] == kind)


def style_by_picture_and_by_regions(page, served: Served, picture: Path) -> None:
    page.click("#tab-picture")
    assert not page.is_enabled("#picture-start")
    page.set_input_files("#picture-file", picture)
    page.select_option("#panel-picture select", "wear")
    page.fill("input[type=range] >> nth=1", "0.5")
    page.click("#picture-start:enabled")
    page.wait_for_selector("li[data-kind=wear][data-state=done]")
    wear = asked(served, "wear")
    assert (wear["seed"], wear["geometry"], wear["appearance"]) == (7, 0.5, 1)

    page.click("#tab-regions")
    page.fill("#panel-regions input >> nth=0", "5")
    page.fill("[data-region=hair] input", "9")
    page.select_option("[data-region=hair] select", ".shape")
    page.click("#regions-start")
    page.wait_for_selector("li[data-kind=compose][data-state=done]")
    settings = {"seed": 5, "portrait": None, "regions": ["hair.shape=9"]}
    assert asked(served, "compose") == settings


def test_a_head_is_made_seen_styled_cancelled_and_exported(served, every_tab, tmp_path):
    address, problems = f"http://127.0.0.1:{served.port}", []
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=SOFTWARE)
        page = browser.new_page(viewport={"width": 1000, "height": 400})
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((address, "blob:", "data:")) or problems.append(request.url)
            ),
        )
        page.goto(address)
        page.click('[data-seed="7"]:has(img)')
        page.wait_for_selector("#view iframe")
        assert page.inner_text("#title") == "<i>Seed</i>"  # a text, no element
        assert page.get_attribute("#view iframe", "sandbox") == "allow-scripts allow-downloads"
        view = page.frame_locator("#view iframe")
        view.locator("#portrait").wait_for()

        page.click("#tab-style")
        page.click(".chips button >> nth=0")
        assert page.input_value("#prompt") == "bronze"
        page.click("#style-start")
        page.wait_for_selector("li[data-state=failed] >> text=say it in English")
        page.wait_for_selector("li[data-kind=edit][data-state=done]")  # the first look
        assert asked(served, "edit")["prompt"] == "bronze"
        page.fill("#prompt", "slow")
        page.click("#style-start")
        page.click("li[data-state=running] >> text=Cancel")
        page.wait_for_selector("li[data-state=cancelled] >> text=Go on")

        page.click("#tab-photo")
        (tmp_path / "a.png").write_bytes(b"no picture")
        page.set_input_files("#photo-file", tmp_path / "a.png")
        soon(lambda: "no picture that is taken" in page.inner_text("#photo-status"))
        assert not page.is_enabled("#photo-start")

        picture = tmp_path / "style.png"
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(picture)
        made = page.locator("li[data-kind=make] >> text=Show").get_attribute("data-of")
        page.click("li[data-kind=make] >> text=Show")
        page.wait_for_url(f"**/#{made.removeprefix('show-')}")
        style_by_picture_and_by_regions(page, served, picture)

        page.click("#tab-export")
        page.click("#export-start")
        with page.expect_download() as download:
            page.click("#export-ready a")
        assert zipfile.ZipFile(download.value.path()).namelist() == ["portrait.html"]

        page.reload()
        page.wait_for_selector("#view iframe")  # the address names the portrait
        page.click("#tab-gallery")
        page.wait_for_selector("#gallery [aria-pressed=true] img")
        browser.close()
    assert problems == []
