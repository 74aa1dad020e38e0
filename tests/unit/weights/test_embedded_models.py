"""The weights inside the package: all there, small enough, whole, and honest about their origin."""

from __future__ import annotations

import pytest
import torch

from triptych.editors.loading import editor_hash, load_editor
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.systems.stylize.models import load_image_to_triplane
from triptych.systems.stylize.pipeline import StylizePipeline
from triptych.weights import load_features, read_header, registry

AWAITED = {"avatar-edit", "avatar-styler"}
"""Registered before they are trained; as soon as their files are there, they are tested too."""
EMBEDDED = [
    entry
    for entry in registry.MODELS.values()
    if entry.origin == "embedded" and (entry.name not in AWAITED or entry.present())
]
LARGEST_MB = {
    "avatar-generator": 20,
    "avatar-editor": 45,
    "avatar-landmarks": 3,
    "avatar-edit": 12,
    "avatar-styler": 6,
}
LARGEST_SUM_MB = 120


@pytest.mark.parametrize("entry", EMBEDDED, ids=lambda entry: entry.name)
def test_the_model_is_there_and_small_enough(entry):
    assert entry.present(), f"{entry.path} is missing"
    assert 0 < entry.num_bytes() <= LARGEST_MB.get(entry.name, 45) * 1e6


def test_all_models_together_stay_small():
    assert sum(entry.num_bytes() for entry in EMBEDDED) <= LARGEST_SUM_MB * 1e6


@pytest.mark.parametrize(
    "entry", [entry for entry in EMBEDDED if entry.kind != "editor"], ids=lambda entry: entry.name
)
def test_the_header_says_how_it_was_made_and_measured(entry):
    header = read_header(entry.path)
    assert header.licence == "Apache-2.0"
    assert header.provenance["recipe"]
    assert header.provenance["steps"] > 0
    assert header.metrics


def test_the_generator_makes_heads_over_the_grey_background():
    portrait = GeneratePipeline.from_pretrained("avatar")(seed=7)
    view = portrait.render(size=64)
    assert 0.25 < float(view.alpha.mean()) < 0.85
    assert float(view.alpha[0, 0, 32, 32]) > 0.95
    assert view.image[0, :, 2, 2].tolist() == pytest.approx([0.5] * 3, abs=0.1)


def test_the_networks_fit_each_other():
    pipeline = GeneratePipeline.from_pretrained("avatar")
    planes = pipeline(seed=7).planes
    network = load_image_to_triplane()
    size = network.config.image_size
    with torch.no_grad():
        assert network(torch.zeros(1, 3, size, size)).shape == planes.shape


def test_records_name_the_embedded_editor_and_not_a_folder_of_this_computer():
    assert StylizePipeline.from_pretrained("avatar").editor.name == "avatar-editor"
    editor = load_editor("avatar-editor")
    assert editor.name == "avatar-editor"
    folder = str(registry.find("avatar-editor").path)
    assert editor_hash(folder) == editor_hash("avatar-editor")


def test_judge_and_loss_network_know_the_same_styles():
    names = [load_features(name).config.style_names for name in registry_features()]
    assert names[0] == names[1]


def registry_features() -> list[str]:
    return [entry.name for entry in EMBEDDED if entry.kind == "features"]
