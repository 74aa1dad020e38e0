"""How well an encoder inverts pictures it has never seen, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.metrics.identity import identity_similarity
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import MetricNetworks
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.preview import preview_render
from triptych.ops.resize import fit_size
from triptych.systems.invert.encoder import PspEncoder
from triptych.systems.invert.restyle import GeneratorSynthesis, RestyleStep, restyle
from triptych.systems.invert.training.targets import Target


@torch.no_grad()
def check_inversion(
    encoder: PspEncoder,
    generator: TriPlaneGenerator,
    targets: Sequence[Target],
    networks: MetricNetworks,
) -> dict[str, float]:
    """Invert targets and compare.

    Returns:
        "psnr_1" and "psnr": after the first and the last step, whole pictures at full size;
        "perceptual_1" and so on: distance after each step, at the size that is fed back;
        "identity": similarity of people after the last step;
        "side_psnr": the last step seen from the second camera;
        "prior_psnr": the generator's own reconstruction from known style codes, where known.
    """
    measured: dict[str, list[float]] = {}

    def note(name: str, value: Tensor) -> None:
        measured.setdefault(name, []).append(float(value.mean()))

    for target in targets:
        true, steps = target.image[None], invert_target(encoder, generator, target)
        for number, step in enumerate(steps, start=1):
            small = fit_size(true, step.image.shape[-1])
            note(f"perceptual_{number}", networks.perceptual(step.image, small))
        last = _shown(generator, steps[-1].ws, target.camera)
        note("psnr_1", psnr(_shown(generator, steps[0].ws, target.camera), true))
        note("psnr", psnr(last, true))
        note("identity", identity_similarity(networks.identity, last, true))
        side = _shown(generator, steps[-1].ws, target.second_camera)
        note("side_psnr", psnr(side, target.second[None]))
        if target.ws is not None:
            prior = _shown(generator, target.ws[None], target.camera)
            note("prior_psnr", psnr(prior, true))
    return {name: round(sum(values) / len(values), 4) for name, values in measured.items()}


@torch.no_grad()
def inversion_rows(
    encoder: PspEncoder, generator: TriPlaneGenerator, targets: Sequence[Target]
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Return rows of pictures [n, 3, h, w] of targets, and a caption for each column."""
    rows: list[Tensor] = []
    captions: tuple[str, ...] = ()
    for target in targets:
        steps = invert_target(encoder, generator, target)
        chosen = sorted({0, len(steps) // 2, len(steps) - 1})
        shown = [_shown(generator, steps[index].ws, target.camera)[0] for index in chosen]
        side = _shown(generator, steps[-1].ws, target.second_camera)[0]
        rows.append(torch.stack([target.image, *shown, target.second, side]))
        numbers = tuple(f"step {index + 1}" for index in chosen)
        captions = ("picture", *numbers, "other view", "inverted")
    return rows, captions


def invert_target(
    encoder: PspEncoder, generator: TriPlaneGenerator, target: Target
) -> list[RestyleStep]:
    """Return the steps of one target's inversion."""
    synthesis = GeneratorSynthesis(generator, encoder.config.restyle.render_size)
    return restyle(encoder, synthesis, target.image[None], target.camera)


def _shown(generator: TriPlaneGenerator, ws: Tensor, camera: Camera) -> Tensor:
    return preview_render(generator, ws, camera).image.clamp(-1, 1)
