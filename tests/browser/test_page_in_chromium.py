"""The page in a real browser: its pixels, its controls, and what it does without WebGL2."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from system_chromium import CHROMIUM, PATIENCE_MS, SOFTWARE, needs_chromium, playwright
from toy_portraits import tiny_config, tiny_portrait
from two_balls import TwoBallsPortrait

from triptych.export.html.page import save_page
from triptych.export.splats.fast_compositing import composite_fast
from triptych.export.splats.fitting import fit_splats
from triptych.export.splats.projection import flatten
from triptych.portrait import Portrait, TriPlanePortrait

pytestmark = needs_chromium
SIDE = 48
WIDE = (600, 90)


@pytest.fixture(scope="module")
def engine() -> Iterator:
    with playwright.sync_playwright() as running:
        yield running.chromium


@pytest.fixture(scope="module")
def chromium(engine) -> Iterator:
    browser = engine.launch(executable_path=CHROMIUM, args=SOFTWARE)
    yield browser
    browser.close()


class Shown:
    """A portrait's page in a window, and what went wrong in it."""

    def __init__(self, browser, file: Path, window: tuple[int, int]) -> None:
        self.problems: list[str] = []
        self.page = browser.new_page(viewport={"width": window[0], "height": window[1]})
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(file.as_uri())

    def _said(self, message) -> None:
        if message.type == "error":  # drivers write hints too
            self.problems.append(message.text)

    def _requested(self, request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.problems.append(f"asked for {request.url}")

    def view(self) -> tuple[float, ...]:
        """Return yaw, pitch and zoom of the picture that rests."""
        self.page.wait_for_selector("#portrait[data-view]", timeout=PATIENCE_MS)
        return tuple(map(float, self.page.get_attribute("#portrait", "data-view").split()))

    def turned(self, before: tuple[float, ...]) -> tuple[float, ...]:
        """Wait until another view rests and return it."""
        ends = time.monotonic() + PATIENCE_MS / 1000
        while (now := self.view()) == before and time.monotonic() < ends:
            time.sleep(0.05)
        assert now != before
        return now

    def press(self, *keys: str) -> None:
        self.page.focus("#portrait")
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> np.ndarray:
        """Return the picture that "Save picture" writes, in [-1, 1]."""
        with self.page.expect_download(timeout=PATIENCE_MS) as download:
            self.page.dispatch_event("#save", "click")
        assert download.value.suggested_filename == "portrait.png"
        with Image.open(download.value.path()) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.float32) / 127.5 - 1


@pytest.fixture
def show(chromium, tmp_path) -> Iterator:
    shown: list[Shown] = []

    def opened(portrait: Portrait, window: tuple[int, int] = (SIDE, SIDE)) -> Shown:
        save_page(tmp_path / "portrait.html", portrait)
        shown.append(Shown(chromium, tmp_path / "portrait.html", window))
        return shown[-1]

    yield opened
    for one in shown:
        one.page.close()


def cloud(axes: str, beyond: str) -> TriPlanePortrait:
    """Return a portrait of random planes, half transparent, exact as rendered by many samples."""
    config = tiny_config()
    rendering = dataclasses.replace(config.rendering, num_coarse=64, num_fine=64)
    config = dataclasses.replace(
        config,
        image_size=SIDE,
        render_size=SIDE,
        plane_axes=axes,
        beyond_box=beyond,
        rendering=rendering,
    )
    return tiny_portrait(config)


LOOKS = [
    ([], 0.0, 0.0),
    (["ArrowRight"] * 4, 0.4, 0.0),
    (["ArrowUp"] * 2, 0.4, 0.2),
    (["ArrowLeft"] * 8, -0.4, 0.2),
    (["ArrowDown"] * 4, -0.4, -0.2),
]


@pytest.mark.parametrize(
    ("kind", "looks"),
    [
        ("ball", LOOKS),
        pytest.param("legacy", LOOKS[:2], marks=pytest.mark.thorough),
        pytest.param("corrected", LOOKS[1:2], marks=pytest.mark.thorough),
    ],
)
def test_pixels_are_those_of_the_exact_renderer(show, ball, kind, looks):
    beyond = "decoded" if kind == "legacy" else "empty"
    portrait = ball if kind == "ball" else cloud(kind, beyond)
    shown = show(portrait)
    for keys, yaw, pitch in looks:
        shown.press(*keys)
        true = portrait.render(portrait.orbit(yaw, pitch), SIDE, path="exact").image[0]
        true = true.permute(1, 2, 0).clamp(-1, 1).numpy()
        error = float(np.square(shown.saved() - true).mean())
        assert true.std() > 0.1
        assert 10 * np.log10(4 / error) > 38, (yaw, pitch)
    assert shown.problems == []


@pytest.mark.thorough
def test_baked_pixels_are_those_of_the_splats(show, monkeypatch):
    portrait = TwoBallsPortrait("sdf")
    splats = fit_splats(portrait, resolution=24, steps=2, size=16)
    monkeypatch.setattr("triptych.export.html.page.fit_splats", lambda *_, **__: splats)
    shown = show(portrait)
    for keys, yaw, pitch in LOOKS:
        shown.press(*keys)
        picture = composite_fast(flatten(splats, portrait.orbit(yaw, pitch), SIDE), SIDE)
        true = picture[:3] * 2 - picture[3:] + (1 - picture[3:]) * portrait.rendering.background
        true = true.permute(1, 2, 0).numpy()
        error = float(np.square(shown.saved() - true).mean())
        assert true.std() > 0.1
        assert 10 * np.log10(4 / error) > 38, (yaw, pitch)
    assert shown.problems == []


def test_the_first_picture_is_seen_while_the_resting_one_is_drawn(show, ball):
    shown = show(ball, (500, 500))
    ends = time.monotonic() + PATIENCE_MS / 1000
    while not shown.page.evaluate("performance.getEntriesByName('first picture').length"):
        assert time.monotonic() < ends
        time.sleep(0.05)
    seen = Image.open(io.BytesIO(shown.page.screenshot(timeout=PATIENCE_MS))).convert("L")
    # the ball is bright, its background mid grey; a canvas that was cleared is black
    assert np.asarray(seen)[100:400].min() > 20


def test_pointer_wheel_and_buttons_move_the_camera(show, ball):
    shown = show(ball, WIDE)
    first = shown.view()
    assert first == (0.0, 0.0, 1.0)
    mouse = shown.page.mouse
    mouse.move(300, 20)
    mouse.down()
    mouse.move(280, 30, steps=4)
    mouse.up()
    dragged = shown.turned(first)
    assert dragged == pytest.approx((0.16, 0.08, 1.0))
    mouse.wheel(0, -200)
    zoomed = shown.turned(dragged)
    assert zoomed == pytest.approx((0.16, 0.08, np.exp(0.2)))
    assert shown.page.inner_text("#said") == "seen 9 degrees from its left, 5 degrees from above"
    shown.press(*["ArrowRight"] * 40)
    limited = shown.turned(zoomed)
    assert limited[0] == 1.6
    shown.page.dispatch_event("#reset", "click")
    assert shown.turned(limited) == first
    shown.page.fill("#background", "#ff0000")
    assert shown.saved()[0, 0].tolist() == pytest.approx([1, -1, -1], abs=0.02)
    shown.page.dispatch_event("#turntable", "click")
    assert shown.page.get_attribute("#turntable", "aria-pressed") == "true"
    shown.page.dispatch_event("#turntable", "click")
    assert shown.page.get_attribute("#turntable", "aria-pressed") == "false"
    shown.page.dispatch_event("#inform", "click")
    assert shown.page.is_visible("#information")
    assert shown.problems == []


def test_without_webgl_the_pointer_runs_through_pictures(engine, ball, tmp_path):
    save_page(tmp_path / "portrait.html", ball)
    browser = engine.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-3d-apis"])
    shown = Shown(browser, tmp_path / "portrait.html", WIDE)
    shown.page.wait_for_selector("#strip img", timeout=PATIENCE_MS)
    assert "WebGL2 is not available" in shown.page.inner_text("#note")
    assert not shown.page.is_visible("#tools")

    def place() -> float:
        return shown.page.eval_on_selector("#strip img", "e => e.getBoundingClientRect().left")

    shown.page.mouse.move(258, 75)
    left = place()
    shown.page.mouse.move(342, 75)
    right = place()
    assert left - right == pytest.approx(10 * WIDE[1], abs=2)
    browser.close()
