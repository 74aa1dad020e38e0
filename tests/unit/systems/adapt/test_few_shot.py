"""The few-shot recipe in miniature: a style of artworks reaches heads that were never shown."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from triptych.errors import UserError
from triptych.photos.aligner import PhotoAligner, UnusableFace
from triptych.photos.artworks import Artwork, artwork_files, images_of, read_artworks
from triptych.portrait import TriPlanePortrait
from triptych.systems.adapt.few_shot import FewShotRecipe, FewShotSettings, StyleStatistics
from triptych.systems.adapt.pipeline import AdaptPipeline

QUICK = FewShotSettings(
    steps=8, rate=0.1, shift_rate=0.1, check_every=4, view_size=16, content=0.01, shape=0.1
)


class ToyNetwork:
    """Features and identity of pictures: coarse copies of them."""

    def __call__(self, image):
        return {"coarse": F.avg_pool2d(image, 4), "coarser": F.avg_pool2d(image, 8)}

    def embed(self, image):
        return F.normalize(F.adaptive_avg_pool2d(image, 4).flatten(1), dim=1)


class Blind(PhotoAligner):
    """Finds no face in anything."""

    def __call__(self, image, *, face=1):
        raise UnusableFace("no face found", "no face")


no_face = Blind()


@pytest.fixture
def pipeline(toy_generator):
    network = ToyNetwork()
    return AdaptPipeline(toy_generator, network, network, no_face, name="toy")


def artworks_of(colour, count=5) -> list[Artwork]:
    image = torch.tensor(colour).reshape(1, 3, 1, 1).expand(1, 3, 32, 32).contiguous()
    return [Artwork(f"{index}.png", image, None) for index in range(count)]


def test_statistics_of_equal_pictures_are_equal():
    picture = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    statistics = StyleStatistics.measured({"a": picture})
    assert statistics.distance(statistics) == 0
    # shuffled positions change no statistic; another brightness does
    shuffled = picture.flatten(2).flip(2).unflatten(2, (8, 8))
    assert statistics.distance(StyleStatistics.measured({"a": shuffled})) < 1e-10
    assert statistics.distance(StyleStatistics.measured({"a": picture + 1})) > 0.5


@pytest.mark.slow
def test_a_style_reaches_unseen_heads(pipeline):
    artworks = artworks_of((0.9, -0.9, -0.9))
    pack = pipeline(artworks, licence="mine", settings=QUICK)
    report = pack.provenance["report"]
    assert report["style_distance"] < report["style_distance_before"]
    assert report["held_out"]
    assert pack.licence == "mine"
    assert pack.provenance["artworks"] == [artwork.name for artwork in artworks]
    assert pack.previews.shape[0] == 3
    recipe = FewShotRecipe(pipeline.generator, ToyNetwork(), ToyNetwork(), QUICK)
    again = recipe(images_of(artworks)).learned
    assert all(torch.equal(again.factors[name], factor) for name, factor in pack.factors.items())
    generator = pipeline.generator
    ws = generator.mapping(generator.latent(7))
    styled = pack.folded(generator, pipeline.model)
    before, after = (
        TriPlanePortrait.from_generator(one, ws).render().image for one in (generator, styled)
    )
    wanted = artworks[0].image.mean(dim=(2, 3))
    distances = [(image.mean(dim=(2, 3)) - wanted).abs().sum() for image in (before, after)]
    assert distances[1] < distances[0]


def test_the_best_factors_are_kept_and_a_fit_that_gains_nothing_stops(pipeline):
    """Artworks of which heads are already typical cannot be approached by a huge rate."""
    generator = pipeline.generator
    ws = torch.cat([generator.mapping(generator.latent(seed)) for seed in range(2000, 2004)])
    heads = [TriPlanePortrait.from_generator(generator, code[None]).render().image for code in ws]
    settings = FewShotSettings(steps=10, rate=5.0, check_every=1, patience=2, view_size=16)
    network = ToyNetwork()
    recipe = FewShotRecipe(generator, network, network, settings)
    looks = []
    learned = recipe(torch.cat(heads), look=looks.append)
    assert len(looks) == learned.report["steps"]
    assert learned.report["steps"] < 10
    assert learned.report["style_distance"] <= learned.report["style_distance_before"]


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (60, 40), (200, 30, 30)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    frames = [Image.new("RGB", (60, 40), (shade, 0, 0)) for shade in (200, 20)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    return tmp_path


def test_broken_pictures_are_named_and_left_out(folder):
    said: list[str] = []
    files = artwork_files(folder, said.append)
    artworks = read_artworks(files, no_face, 32, said.append)
    assert [artwork.name for artwork in artworks] == ["a.png", "b.png", "moving.gif"]
    assert artworks[0].image.shape == (1, 3, 32, 32)
    assert artworks[0].camera is None
    assert sum("left out" in line and "broken.png" in line for line in said) == 1
    assert sum("is taken whole: no face found" in line for line in said) == 3
    assert "moving.gif: animated: only the first frame is used" in said
    with pytest.raises(UserError, match="no picture can be used"):
        read_artworks([folder / "broken.png"] * 2, no_face, 32, said.append)
    said.clear()
    with pytest.raises(UserError, match="no picture can be used"):
        read_artworks([folder / "broken.png"], no_face, 32, said.append)
    assert said == []


def test_no_pictures_and_many(tmp_path, folder, monkeypatch):
    said: list[str] = []
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no photos below"):
        artwork_files(tmp_path / "empty", said.append)
    with pytest.raises(UserError, match="there is no picture or folder"):
        artwork_files(tmp_path / "absent", said.append)
    assert said == []
    monkeypatch.setattr("triptych.photos.artworks.MOST_ARTWORKS", 1)
    assert [file.name for file in artwork_files(folder, said.append)] == ["a.png"]
    assert "4 pictures: 1 of them" in said[0]
    assert "triptych train adapt" in said[0]
