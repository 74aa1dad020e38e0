"""3DPE's training: what a frozen Live3D makes of edited pictures, learned from photo and prompt.

Only the prompt branch and the part that makes planes learn. Teacher and student start from the same
Live3D; the edited picture itself is seen by the discriminator alone. Prompts are pictures, as
published, and words where a text encoder is given: a projection of its tokens learns too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.config import check_fields, from_dict, to_dict
from triptych.editors.prompt_encoder import PromptEncoder
from triptych.errors import UserError
from triptych.metrics.image_metrics import psnr
from triptych.metrics.metric_networks import NetworkOrigin
from triptych.ops.resize import resize_bilinear
from triptych.systems.edit.data.edit_pairs import EditPairs
from triptych.systems.edit.encoder_config import PromptBranchConfig
from triptych.systems.edit.losses import DistillationWeights
from triptych.systems.edit.network import PortraitEncoder, TextPromptConfig
from triptych.systems.edit.preprocessing import reference_input
from triptych.systems.edit.training.adversary import adversarial_terms
from triptych.systems.edit.training.cameras import CameraRange, random_camera
from triptych.systems.edit.training.distillation import (
    Head,
    distilled,
    metric_networks,
    share_of,
)
from triptych.systems.edit.training.stage_one import discriminator_group, new_discriminator
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup
from triptych.training.sheets import save_sheet
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

LOOP = LoopConfig(
    learning_rate=1e-4,
    betas=(0.9, 0.999),
    weight_decay=0.01,
    final_rate=1.0,
    warmup_steps=1,
    gradient_clip=1e9,
    ema_decay=0.0,
    shared_draws=True,
)
_SHOWN = 4


@dataclass(frozen=True)
class Options:
    """Data, base, batch and loss weights; the defaults are the published ones.

    Attributes:
        pairs: Folder of pairs in the published layout; see `data.edit_pairs`.
        base: Weights (.safetensors) of a Live3D in the layout LT: the teacher, and the student's
            start.
        preset: "published": the reference may be the target itself, the pyramid's dropout is on
            in teacher and student, and the discriminator counts from the first step, since the
            published code goes on with Live3D's count. "corrected": another picture of the same
            style, no dropout, and the discriminator counts from `adversarial_from`.
        prompt: Sizes of the prompt branch that differ from the published ones, by name.
        text_encoder: Editor of `triptych models` whose text encoder reads words, such as
            "instruct-pix2pix" for CLIP's; None learns from pictures alone, as published. Words are
            the names of the pairs' styles.
        text_share: Share of steps whose prompts are words.
        start_from: Weights (.safetensors) of an earlier run; None makes a new prompt branch.
        batch: Pairs per step, over all processes.
        weights: Of the loss terms.
        adversarial_from: Step from which the discriminator is trained and listened to.
        discriminator_base, discriminator_group: See `DiscriminatorConfig`.
        networks: Networks of the perceptual and the identity term; see `metrics.metric_networks`.
        features: Embedded network that stands in for LPIPS.
        device: Training device, as torch spells it.
    """

    pairs: str = "runs/data/edit_pairs"
    base: str = "runs/live3d/live3d.safetensors"
    preset: Literal["published", "corrected"] = "corrected"
    prompt: dict[str, Any] = field(default_factory=dict)
    text_encoder: str | None = None
    text_share: float = 0.5
    start_from: str | None = None
    batch: int = 16
    weights: DistillationWeights = field(default_factory=DistillationWeights)
    adversarial_from: int = 10_000
    discriminator_base: int = 32768
    discriminator_group: int = 4
    networks: NetworkOrigin = "auto"
    features: str = "avatar-features"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(self, batch=(1, 4096), adversarial_from=(0, 2**40), text_share=(0, 1))


def build(options: Options) -> EditRecipe:
    """Build the recipe over a given base."""
    return EditRecipe(options)


def export(recipe: EditRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write encoder and renderer as a self-describing fp16 weight file."""
    save_trained(recipe, result, "network", out, pairs=len(recipe.pairs))


class EditRecipe:
    """Distillation of edits into a `PortraitEncoder` with a prompt branch."""

    name = "edit"

    def __init__(self, options: Options) -> None:
        self.options, self.pairs = options, EditPairs(options.pairs)
        self.published = options.preset == "published"
        self.teacher: PortraitEncoder = load_network(
            options.base, "portrait-encoder", options.device
        )
        self.words: PromptEncoder | None = None
        text: TextPromptConfig | None = None
        if options.text_encoder is not None:
            self.words = PromptEncoder.from_pretrained(options.text_encoder).to(options.device)
            text = TextPromptConfig(options.text_encoder, self.words.width)
        if options.start_from is None:
            student = with_prompt(self.teacher, options.prompt, text)
        else:
            student = load_network(options.start_from, "portrait-encoder")
        if student.config.encoder.prompt is None:
            raise UserError(f"{options.start_from} has no prompt branch; it is a base")
        if self.words is not None and student.config.text != text:
            raise UserError(
                f"{options.start_from} was not trained with the words of {options.text_encoder}; "
                "leave text_encoder or start_from out"
            )
        self.prompt: PromptBranchConfig = student.config.encoder.prompt
        self.network = student.to(options.device).requires_grad_(False)
        for parameter in self._learning():
            parameter.requires_grad_(True)
        self.discriminator = new_discriminator(self.network, options).to(options.device)
        self.modules: Modules = {"network": self.network, "discriminator": self.discriminator}
        self.networks = metric_networks(options.device, options.networks, options.features)

    def groups(self) -> list[ParameterGroup]:
        """Return what learns of the network, and the discriminator at its own rate."""
        return [
            ParameterGroup(self._learning()),
            discriminator_group(self.discriminator, LOOP.learning_rate),
        ]

    def _learning(self) -> list[torch.nn.Parameter]:
        encoder = self.network.encoder
        assert encoder.Ref_encoder is not None
        parts: list[torch.nn.Module] = [encoder.Ref_encoder, encoder.Final_encoder]
        if self.words is not None and self.network.text is not None:
            parts.append(self.network.text)
        return [parameter for part in parts for parameter in part.parameters()]

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, rendering = self.options, self.network.config.rendering
        chosen = torch.randint(len(self.pairs), (options.batch,), generator=generator)
        drawn = torch.randint(2**40, (options.batch,), generator=generator)
        aside = random_camera(CameraRange(), rendering.view, generator)
        in_words = False
        if self.words is not None:
            in_words = bool(torch.rand((), generator=generator) < options.text_share)
        chosen, seeds = (
            share_of(values, progress.process, progress.num_processes) for values in (chosen, drawn)
        )
        photo, edited, reference, camera = self._batch(chosen, seeds)
        with torch.no_grad():
            aim = self._planes(self.teacher, edited, None, seeds + 1)
        tokens = self._word_tokens(chosen) if in_words else self._picture_tokens(reference)
        planes = self._planes(self.network, photo, tokens, seeds)
        terms, pred, _ = distilled(
            Head(planes, partial(self.network.render, planes)),
            Head(aim, partial(self.teacher.render, aim)),
            (camera, aside),
            seeds,
            (rendering.render_size**2, rendering.rendering),
            options.weights,
            self.networks,
        )
        loss = options.weights.total(terms)
        if options.weights.adversarial and (
            self.published or progress.step >= options.adversarial_from
        ):
            shown, asked = (
                resize_bilinear(part, rendering.image_size, antialias=True)
                for part in (edited, reference)
            )
            terms["adversarial"], learning = adversarial_terms(
                self.discriminator,
                (pred.image, asked),
                (shown, asked),
                camera,
                options.weights.r1,
            )
            loss = options.weights.total(terms) + learning
            terms["discriminator"] = learning
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def _batch(self, chosen: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor, Tensor, Camera]:
        """Return photos, edited pictures and references [b, 3, s, s], and b cameras."""
        pairs, size = self.pairs, self.network.config.encoder.image_size
        draws = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        indices = chosen.tolist()

        def stacked(picture: Callable[..., Tensor], *others: Any) -> Tensor:
            given = zip(indices, *others, strict=True)
            pictures = [resize_bilinear(picture(*one)[None], size, antialias=True) for one in given]
            return torch.cat(pictures).to(self.options.device)

        reference = partial(pairs.reference, may_be_target=self.published)
        camera = Camera.stack([pairs.camera(index) for index in indices])
        return (
            stacked(pairs.photo),
            stacked(pairs.edited),
            stacked(reference, draws),
            camera.to(self.options.device),
        )

    def _picture_tokens(self, reference: Tensor) -> Tensor:
        """Return prompt tokens [b, k, d] of pictures [b, 3, s, s]."""
        return self.network.encoder.reference_tokens(reference_input(reference, self.prompt))

    def _word_tokens(self, chosen: Tensor) -> Tensor:
        """Return prompt tokens [b, k, d] of the names of pairs' styles."""
        assert self.words is not None
        texts = [self.pairs.words(index) for index in chosen.tolist()]
        return self.network.text_tokens(torch.cat([self.words.prompt(text) for text in texts]))

    def _planes(
        self, network: PortraitEncoder, photo: Tensor, tokens: Tensor | None, seeds: Tensor
    ) -> Tensor:
        dropout = torch.Generator().manual_seed(int(seeds[0])) if self.published else None
        encoder = network.encoder
        with torch.no_grad():  # what sees the photo is frozen, but for its queries
            features = encoder.photo_features(photo, dropout=dropout)
        if tokens is None:
            return encoder.planes(features)
        assert encoder.Ref_encoder is not None
        features = replace(features, queries=encoder.Ref_encoder.queries(features.high))
        return encoder.planes(features, tokens)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        rows = self._compare(averaged["network"])
        return {"psnr": round(float(psnr(rows[:, 2], rows[:, 3]).mean()), 3)}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        rows = self._compare(averaged["network"])
        save_sheet(list(rows), path, ("photo", "reference", "teacher", "student"))

    def _compare(self, network: Any) -> Tensor:
        """Return pictures [n, 4, 3, h, w] of the first pairs, from the cameras of the photos."""
        indices = torch.arange(min(_SHOWN, len(self.pairs)))
        photo, edited, reference, camera = self._batch(indices, indices)
        size = network.config.rendering.image_size
        aim = self.teacher.render(self.teacher.encoder(edited), camera).image
        tokens = reference_input(reference, self.prompt)
        made = network.render(network.encoder(photo, tokens), camera).image
        shown = [resize_bilinear(picture, size, antialias=True) for picture in (photo, reference)]
        return torch.stack([*shown, aim, made], dim=1).cpu()


def with_prompt(
    base: PortraitEncoder, sizes: dict[str, Any], text: TextPromptConfig | None = None
) -> PortraitEncoder:
    """Return a network that starts as a base, with a new prompt branch.

    Args:
        base: A network without one, in the layout LT.
        sizes: Sizes of the branch that differ from the published ones, by name.
        text: How words become its tokens; None takes pictures alone.
    """
    prompt = from_dict(PromptBranchConfig, {**to_dict(PromptBranchConfig()), **sizes})
    encoder = replace(base.config.encoder, prompt=prompt)
    network = PortraitEncoder(replace(base.config, encoder=encoder, text=text))
    missing, unexpected = network.load_state_dict(base.state_dict(), strict=False)
    assert not unexpected
    assert all(name.startswith(("encoder.Ref_encoder.", "text.")) for name in missing)
    return network
