"""The evaluations on a device that is not the CPU: what is compared must be in one place."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from pretended_device import pretended_device
from toy_editor import tiny_editor_parts
from toy_inversion import SETTINGS, toy_pipeline
from toy_portraits import tiny_generator
from toy_stylize import TINY_SETTINGS
from toy_stylize import toy_pipeline as toy_stylize_pipeline

from triptych.avatars.sets.true_heads import TrueViews
from triptych.camera import Camera
from triptych.editors.image_editor import EditorConfig
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.metrics.identity import AvatarIdentity
from triptych.metrics.metric_networks import StyleNetworks
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.metrics.style_classifier import AvatarStyleClassifier
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.systems.generate.evaluation import PriorSettings, measure_prior
from triptych.systems.invert.evaluation.heads import UnseenAvatars
from triptych.systems.invert.evaluation.methods import all_answers
from triptych.systems.invert.evaluation.scores import score_answers
from triptych.systems.stylize.ablation import AblationSettings, fit_variants, score_variant
from triptych.systems.stylize.editor_evaluation import measure_editor
from triptych.systems.stylize.editor_evaluation_groups import EditorSettings
from triptych.systems.stylize.evaluation import EvaluationSettings, measure_head
from triptych.systems.stylize.evaluation_heads import stylise_or_read

QUICK = dataclasses.replace(TINY_SETTINGS, num_yaw=2, num_pitch=1, steps=1)


@pytest.fixture
def device():
    with pretended_device() as device:
        yield device


class RandomHeads:
    """Truth that is delivered on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def views(self, seed: int, style: str | None, camera: Camera, size: int) -> TrueViews:
        rng = torch.Generator().manual_seed(seed)
        image = torch.rand(len(camera), 3, size, size, generator=rng) * 2 - 1
        regions = torch.randint(9, (len(camera), size, size), generator=rng)
        return TrueViews(image, (regions > 0)[:, None].float(), regions).to(self.device)


@pytest.fixture
def networks(device) -> StyleNetworks:
    network = AvatarFeatures(
        FeatureNetworkConfig(("original", "bronze"), 5, channels=(4, 4, 4, 4, 4))
    ).eval()
    networks = StyleNetworks(
        AvatarStyleClassifier(network), AvatarIdentity(network), AvatarPerceptualDistance(network)
    )
    return networks.to(device)


@pytest.mark.thorough
def test_the_prior_is_measured_there(device, networks):
    findings = measure_prior(
        tiny_generator().to(device),
        RandomHeads(device),
        networks.distance,
        networks.identity,
        PriorSettings(count=2, views=2),
    )
    assert {image.device for image in findings.rows[0]} == {torch.device("cpu")}
    assert findings.report.summary["heads"] == 2


@pytest.mark.thorough
def test_an_editor_is_measured_there(device, networks, tmp_path):
    config = EditorConfig(image_size=32, num_steps=2, noise_level=0.5)
    editor = InstructPix2PixEditor(**vars(tiny_editor_parts()), config=config).to(device)
    findings = measure_editor(
        editor,
        RandomHeads(device),
        networks,
        {"bronze": "material"},
        lambda style, rng: f"a {style} statue",
        EditorSettings(heads=2, heads_per_group=2),
        folder=tmp_path,
    )
    assert findings.report.summary["edits"] == 2
    assert {image.device for image in findings.pictures[0][1:]} == {torch.device("cpu")}


@pytest.mark.thorough
def test_stylised_heads_are_measured_there(device, networks, tmp_path):
    pipeline = toy_stylize_pipeline().to(device)
    for _ in range(2):  # made, then read
        head = stylise_or_read(
            pipeline, "bronze", 3, QUICK, tmp_path / "run", prompt="a blue bronze statue"
        )
        assert head.edited.device == device
        scores = measure_head(head, networks.classifier, networks.identity, EvaluationSettings())
    assert scores.pictures.device == torch.device("cpu")


@pytest.mark.thorough
def test_variants_of_the_fitting_are_measured_there(device, networks, tmp_path):
    pipeline = toy_stylize_pipeline().to(device)
    heads = fit_variants(pipeline, "bronze", 3, QUICK, tmp_path, prompt="a blue bronze statue")
    for variant, head in heads.items():
        score = score_variant(
            variant,
            head,
            networks.classifier,
            networks.distance,
            RandomHeads(device),
            AblationSettings(num_yaw=2, num_pitch=1),
        )
        assert score.to_truth is not None


@pytest.mark.thorough
def test_inversions_are_measured_there(device):
    generator = tiny_generator()
    pipeline = toy_pipeline(copy.deepcopy(generator)).to(device)
    settings = dataclasses.replace(
        SETTINGS,
        steps=1,
        latent=dataclasses.replace(SETTINGS.latent, beyond=None),
        codes=dataclasses.replace(SETTINGS.codes, steps=1, prior=0.0),
        tuning=dataclasses.replace(SETTINGS.tuning, steps=1),
    )
    features = AvatarFeatures(FeatureNetworkConfig(("a", "b"), 5, channels=(4, 4, 4, 4, 4)))
    head = UnseenAvatars(RandomHeads(torch.device("cpu")), generator, 0, 2)[0].to(device)
    answers = all_answers(pipeline, None, head.target, settings, 1, head.latent)
    scores = score_answers(
        head, answers, pipeline.networks, features.eval().to(device), pictured=True
    )
    assert len(scores.rows) == 7  # mean, pSp, one step, W+, PTI, direct, true latent
    assert {scores.features.device, scores.pictures.device} == {torch.device("cpu")}
