"""The page of a portrait: what it holds, that it holds no more, and that texts stay texts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from scipy.special import expit
from toy_portraits import tiny_config, tiny_portrait, tiny_superresolved_config
from two_balls import TwoBallsPortrait

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.export.html.page import page_title, portrait_page, save_page
from triptych.export.html.scene import TriPlaneScene, triplane_scene
from triptych.export.html.splat_scene import orbit_centre, splat_scene
from triptych.export.splats.fitting import fit_splats
from triptych.export.splats.splats import Splats
from triptych.portrait import TriPlanePortrait


class Elements(HTMLParser):
    """The elements of a page with their attributes and texts, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attributes) -> None:
        self.found.append((tag, dict(attributes), []))
        self.is_open = True

    def handle_endtag(self, tag) -> None:
        self.is_open = False

    def handle_data(self, data) -> None:
        if self.found and self.is_open:
            self.found[-1][2].append(data)

    def text(self, name: str) -> str:
        """Return the text of the element of that id."""
        (text,) = ["".join(text) for _, own, text in self.found if own.get("id") == name]
        return text


@pytest.fixture(scope="module")
def ball_page(ball) -> str:
    return portrait_page(ball)


@pytest.fixture
def _no_strip(monkeypatch) -> None:
    monkeypatch.setattr("triptych.export.html.page._strip_url", lambda portrait: "data:,")


def described(portrait: TriPlanePortrait, **provenance) -> TriPlanePortrait:
    return dataclasses.replace(portrait, provenance=provenance)


def query(scene: TriPlaneScene, points: np.ndarray) -> np.ndarray:
    """Return raw density and colour [n, 4] as the shader computes them, texel by texel."""
    settings = scene.settings
    groups, hidden = settings["groups"], settings["hidden"]
    width, height = settings["planeSize"]
    at = points * 2 / settings["boxSize"]
    features = np.zeros((len(points), 4 * groups))
    for plane, (across, down) in enumerate(settings["axes"]):
        column = (at[:, across] + 1) / 2 * width - 0.5
        row = (at[:, down] + 1) / 2 * height - 0.5
        layers = scene.planes[plane * groups : (plane + 1) * groups].astype(np.float64)
        for dx in (0, 1):
            for dy in (0, 1):
                x, y = np.floor(column).astype(int) + dx, np.floor(row).astype(int) + dy
                weight = (1 - abs(column - x)) * (1 - abs(row - y)) / 3
                weight = weight * ((x >= 0) & (x < width) & (y >= 0) & (y < height))
                texels = layers[:, y.clip(0, height - 1), x.clip(0, width - 1)]
                features += weight[:, None] * texels.transpose(1, 0, 2).reshape(len(points), -1)
    numbers = scene.decoder.astype(np.float64)
    ends = np.cumsum([hidden * 4 * groups, hidden, hidden * 4])
    first, first_bias, last, last_bias = np.split(numbers, ends)
    summed = features @ first.reshape(hidden, -1).T + first_bias
    decoded = np.logaddexp(0, summed) @ last.reshape(hidden, 4) + last_bias
    return np.hstack([decoded[:, :1], 1.002 * expit(decoded[:, 1:]) - 0.001])


@pytest.mark.parametrize("axes", ["legacy", "corrected"])
@pytest.mark.parametrize("config", [tiny_config(), tiny_superresolved_config()])
def test_what_is_packed_answers_as_the_field_does(axes, config):
    portrait = tiny_portrait(dataclasses.replace(config, plane_axes=axes))
    portrait = dataclasses.replace(portrait, planes=portrait.planes * 3e5)  # beyond half's range
    points = torch.rand(1, 200, 3, generator=torch.Generator().manual_seed(0)) * 1.1 - 0.55
    true = portrait.field.query(points)
    found = query(triplane_scene(portrait), points[0].double().numpy())
    assert float(portrait.planes.abs().max()) > 65504
    scale = float(true.geometry.abs().max())
    assert np.allclose(found[:, :1], true.geometry[0], atol=2e-3 * scale)
    assert np.allclose(found[:, 1:], true.features[0, :, :3], atol=5e-2)


def test_channels_and_hidden_units_are_filled_up_to_fours(ball):
    scene = triplane_scene(ball)
    assert scene.planes.shape == (3, 128, 128, 4)
    assert scene.settings["hidden"] == 4
    points = np.array([[0.1, 0.0, 0.0], [-0.1, 0.1, 0.2], [0.0, 0.0, 0.4]])
    found = query(scene, points)
    true = ball.field.query(torch.from_numpy(points).float()[None])
    assert np.allclose(found[:, 0], true.geometry[0, :, 0], rtol=0.05, atol=1)
    assert np.allclose(found[:, 1:], true.features[0], atol=0.02)


def test_every_cell_of_the_occupancy_grid_is_a_bit(ball):
    scene = triplane_scene(ball)
    size = scene.settings["gridSize"]
    bits = np.unpackbits(scene.occupied, count=size**3, bitorder="little").astype(bool)
    assert np.array_equal(bits, ball.occupancy.occupied.numpy())
    middle = bits.reshape(size, size, size)[size // 2, size // 2]
    assert middle[size // 2]
    assert not middle[1]


def test_the_page_holds_the_arrays_and_little_else(ball, ball_page):
    page, scene = ball_page, triplane_scene(ball)
    elements = Elements(page)
    for name in ("planes", "decoder", "occupied"):
        assert base64.b64decode(elements.text(name)) == getattr(scene, name).tobytes()
    assert json.loads(elements.text("content"))["scene"] == scene.settings
    # An avatar's planes are 1.6 MB in half precision: with this the page is below 1.5 times that.
    assert len(page) - len(elements.text("planes")) < 300_000


def test_the_page_may_run_its_own_program_and_nothing_else(ball_page):
    elements = Elements(ball_page)
    (policy,) = [
        own["content"] for _, own, _ in elements.found if "Policy" in (own.get("http-equiv") or "")
    ]
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        (text,) = ["".join(text) for name, own, text in elements.found if name == tag and not own]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|\beval\(|new Function", ball_page)
    assert [own for _, own, _ in elements.found if {"src", "href", "onclick"} & own.keys()] == []


@pytest.mark.usefixtures("_no_strip")
def test_texts_of_a_portrait_stay_texts(ball, ball_page):
    wicked = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
    plain, page = Elements(ball_page), portrait_page(described(ball, prompt=wicked))
    elements = Elements(page)
    assert [tag for tag, _, _ in elements.found] == [tag for tag, _, _ in plain.found]
    assert json.loads(elements.text("content"))["facts"] == [["prompt", wicked]]
    (title,) = ["".join(text) for tag, _, text in elements.found if tag == "title"]
    assert title == wicked


MANY = dict.fromkeys(map(str, range(80)), 0)


@pytest.mark.usefixtures("_no_strip")
def test_facts_are_flat_and_few(ball):
    portrait = described(
        ball,
        seed=3,
        fit={"steps": 5, "long": "x" * 500},
        many=dict.fromkeys(map(str, range(80)), 0),
    )
    facts = json.loads(Elements(portrait_page(portrait)).text("content"))["facts"]
    assert facts[:2] == [["seed", "3"], ["fit steps", "5"]]
    assert facts[2] == ["fit long", "x" * 200 + " ..."]
    assert len(facts) == 61
    assert facts[-1] == ["and", "23 more entries in the portrait's file"]


@pytest.mark.usefixtures("_no_strip")
def test_what_is_not_shown_is_said():
    page = portrait_page(tiny_portrait(tiny_superresolved_config()))
    facts = json.loads(Elements(page).text("content"))["facts"]
    assert facts[0][0] == "shown"
    assert "super-resolution network is left out" in facts[0][1]


def test_titles(ball):
    assert page_title(described(ball, prompt="a bronze statue", seed=3)) == "a bronze statue"
    assert page_title(described(ball, seed=3)) == "Seed 3"
    assert page_title(ball) == "Portrait"


def test_a_decoder_that_no_browser_takes_is_one_error(tmp_path):
    config = tiny_config()
    config = dataclasses.replace(
        config, decoder=dataclasses.replace(config.decoder, num_hidden=1024)
    )
    with pytest.raises(UserError, match="the decoder does not fit into a page"):
        save_page(tmp_path / "a.html", tiny_portrait(config))
    assert list(tmp_path.iterdir()) == []


def test_planes_that_no_browser_takes_are_one_error():
    portrait = tiny_portrait()
    long = dataclasses.replace(portrait, planes=torch.zeros(1, 3, 4, 2, 4096))
    with pytest.raises(UserError, match="got 4 channels of 4096 x 2"):
        portrait_page(long)


def baked(portrait, monkeypatch) -> tuple[Splats, str]:
    """Return a few splats of a portrait and its page with them."""
    splats = fit_splats(portrait, resolution=16, steps=0)
    monkeypatch.setattr("triptych.export.html.page.fit_splats", lambda *_, **__: splats)
    return splats, portrait_page(portrait)


@pytest.mark.usefixtures("_no_strip")
def test_a_portrait_without_planes_is_baked_and_the_page_says_so(monkeypatch):
    portrait = TwoBallsPortrait("sdf")
    splats, page = baked(portrait, monkeypatch)
    elements = Elements(page)
    content = json.loads(elements.text("content"))
    assert content["facts"][0][0] == "shown"
    assert "Gaussian splats" in content["facts"][0][1]
    settings = content["scene"]
    assert settings["target"] == pytest.approx([0, 0, 0], abs=1e-6)
    assert settings["radius"] == pytest.approx(2.7)
    packed = base64.b64decode(elements.text("splats"))
    table = np.frombuffer(packed, np.uint32).reshape(-1, 8)
    assert len(packed) == 16 * np.prod(settings["textureSize"])
    number = settings["count"]
    assert number == len(splats)
    assert np.array_equal(table[:number, :3].copy().view(np.float32), splats.positions)
    bytes_of = table[:number, 3:4].copy().view(np.uint8)
    assert np.abs(bytes_of[:, :3] / 255 - splats.colours.numpy()).max() < 0.002
    assert np.abs(bytes_of[:, 3] / 255 - splats.opacities.numpy()).max() < 0.002
    halves = table[:number, 4:7].copy().view(np.float16).astype(float) * settings["varianceUnit"]
    true = splats.covariances().numpy()
    for column, (row, other) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        assert np.allclose(halves[:, column], true[:, row, other], rtol=2e-3, atol=1e-7)
    assert not table[number:].any()


def test_the_centre_of_an_orbit_is_what_its_cameras_aim_at():
    cameras = look_at_camera([-0.4, 0.0, 0.3], [0.1, 0.0, 0.2], target=(0.05, -0.02, 0.2))
    assert orbit_centre(cameras).tolist() == pytest.approx([0.05, -0.02, 0.2], abs=1e-5)


def test_more_splats_than_a_browser_takes_are_one_error():
    many = 512 * 2048 + 1
    splats = Splats(*(torch.zeros(1, width).expand(many, width) for width in (3, 3, 4, 1, 3)))
    with pytest.raises(UserError, match="do not fit into a page: got 1048577"):
        splat_scene(TwoBallsPortrait("sdf"), splats)
