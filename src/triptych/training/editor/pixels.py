"""The embedded editor, fine-tuned end to end in pixels for edits in one step.

One step from pure noise without guidance is a regression: what the UNet makes of the source and of
the words is decoded and compared with the true picture, so that UNet and decoder learn together
what is seen. Encoder and text encoder are frozen. The result is an editor in the same format whose
own settings are one step, noise level 1 and guidance 1.

Reference: Parmar et al., One-Step Image Translation with Text-to-Image Models (2024), without skip
connections and discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ShardSet
from triptych.editors.files import load_editor_parts
from triptych.editors.image_editor import EditorConfig
from triptych.metrics.image_metrics import sharpness
from triptych.metrics.perceptual import AvatarPerceptualDistance
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.training.compilation import compiled
from triptych.training.editor.crops import CropPlan, draw_crop
from triptych.training.editor.examples import EditExamples
from triptych.training.editor.picture_pairs import PicturePair, PicturePairs, SourceKey
from triptych.training.editor.text import PhraseGrammar
from triptych.training.editor.vae import load_vae
from triptych.training.editor.wider_latents import widen_unet
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.weights.registry import find_present

LOOP = LoopConfig(
    learning_rate=2e-4,
    weight_decay=1e-4,
    betas=(0.9, 0.98),
    warmup_steps=30,
    ema_decay=0.995,
    final_rate=0.1,
    save_every_s=600.0,
    sheet_every_s=1200.0,
)

WRITES_FOLDER = True

# Eye, mouth and nose cover few pixels and make a face.
_WEIGHTED_REGIONS = (2, 4, 5)


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        shards: Folders of avatar shards with several style variants per head.
        test_shards: Folder of such shards of held-out heads.
        portraits: Folders of shards of the same heads whose original is what a portrait shows
            (`triptych data prior-renders`).
        portrait_share: Share of the sources from `portraits`.
        start_from: Folder of the editor to start from; the embedded one when None.
        vae: Folder of another autoencoder, perhaps with more latent channels; the editor's own when
            None.
        batch: Pairs per step.
        crops: Crops of each pair that are decoded.
        crop: Side of a crop in latent positions.
        combination_share: Share of the pairs whose variant combines two styles.
        feature_share, free_share: See `CropPlan`.
        feature_weight: Weight of eye, mouth and nose in the L1 term.
        l1, mse, perceptual: Weights of the loss terms.
        compile: Compile the UNet: the first steps take minutes.
        device: Training device, as torch spells it.
    """

    shards: tuple[str, ...] = ("runs/data/variants",)
    test_shards: str = "runs/data/variants_test"
    portraits: tuple[str, ...] = ()
    portrait_share: float = 0.4
    start_from: str | None = None
    vae: str | None = None
    batch: int = 8
    crops: int = 2
    crop: int = 18
    combination_share: float = 0.12
    feature_share: float = 0.5
    free_share: float = 0.15
    feature_weight: float = 3.0
    l1: float = 1.0
    mse: float = 1.0
    perceptual: float = 1.0
    compile: bool = False
    device: str = "cpu"


def build(options: Options) -> EditorPixelsRecipe:
    """Build the recipe from a trained editor."""
    return EditorPixelsRecipe(options)


def export(recipe: EditorPixelsRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged editor as a folder in diffusers' format, fp16, at most 45 MB."""
    from triptych.training.editor.export import EditorToExport, export_editor

    editor = EditorToExport(
        unet=result.averaged["unet"],
        vae=result.averaged["vae"],
        text_encoder=recipe.text_encoder,
        tokenizer=recipe.tokenizer,
        scheduler=recipe.scheduler,
        config=recipe.editor_config,
    )
    provenance = {
        "recipe": recipe.name,
        "steps": result.step,
        "heads": recipe.num_heads,
        "targets": len(recipe.pairs),
        "portraits": bool(recipe.options.portraits),
    }
    export_editor(editor, out, provenance=provenance, metrics=result.metrics)


class EditorPixelsRecipe:
    """Regression of styled pictures, conditioned on the source and a phrase."""

    name = "editor-pixels"

    def __init__(self, options: Options) -> None:
        self.options = options
        avatars = [ShardSet(folder) for folder in options.shards]
        portraits = [ShardSet(folder) for folder in options.portraits]
        self.num_heads = sum(map(len, avatars))
        self.pairs = PicturePairs(
            avatars, portraits, options.portrait_share, options.combination_share
        )
        self.crop_plan = CropPlan(
            size=options.crop,
            feature_share=options.feature_share,
            free_share=options.free_share,
        )
        parts = load_editor_parts(options.start_from or find_present("avatar-editor", "editor"))
        self.tokenizer, self.scheduler = parts.tokenizer, parts.scheduler
        vae: Any = parts.vae if options.vae is None else load_vae(options.vae)
        unet = widen_unet(parts.unet, int(vae.config.latent_channels))
        vae.encoder.requires_grad_(False)
        self.text_encoder: Any = parts.text_encoder.to(options.device).eval().requires_grad_(False)
        self.unet: Any = channels_last(unet.to(options.device)).train()
        self.vae: Any = channels_last(vae.to(options.device)).train()
        self.modules: Modules = {"unet": self.unet, "vae": self.vae}
        self.denoiser = compiled(self.unet, options.compile)
        self.perceptual = AvatarPerceptualDistance.from_pretrained().to(options.device)
        self.editor_config = one_step_config(parts.config)
        self.grammar = PhraseGrammar()
        self.examples = EditExamples(ShardSet(options.test_shards))
        self._weighted_regions = torch.tensor(_WEIGHTED_REGIONS, device=options.device)
        self._states: dict[str, Tensor] = {}
        self._source_latents: dict[SourceKey, Tensor] = {}

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        pairs = self.pairs.draw(self.options.batch, rng)
        instructions = [self.grammar.instruction(pair.variant, rng) for pair in pairs]
        latents = self._edited_latents(pairs, instructions, generator)
        crops = [
            (row, draw_crop(pair.regions.numpy(), self.crop_plan, rng))
            for row, pair in enumerate(pairs)
            for _ in range(self.options.crops)
        ]
        decoded = torch.stack([crop.of_latent(latents[row]) for row, crop in crops])
        with half_precision_where_fast(decoded.device):
            pred = self.vae.decode(decoded.contiguous(memory_format=torch.channels_last)).sample
        target = torch.stack([crop.of_picture(pairs[row].target) for row, crop in crops]).to(pred)
        counted = torch.stack([crop.counted(self.crop_plan.margin) for _, crop in crops])
        counted = counted[:, None].to(pred)
        regions = torch.stack([crop.of_picture(pairs[row].regions) for row, crop in crops])
        return self._compared(
            pred.float(), target.float(), counted.float(), regions.to(pred.device)
        )

    def _edited_latents(
        self, pairs: list[PicturePair], instructions: list[str], generator: torch.Generator
    ) -> Tensor:
        """Return unscaled latents [b,c,h,w] of edits in one step from pure noise."""
        source = torch.cat([self._encoded(pair) for pair in pairs]).float()
        noise = torch.randn(source.shape, generator=generator).to(source)
        states = torch.cat([self._embedded(text) for text in instructions])
        last = int(self.scheduler.config.num_train_timesteps) - 1
        joined = torch.cat([noise, source], dim=1).contiguous(memory_format=torch.channels_last)
        with half_precision_where_fast(joined.device):
            velocity = self.denoiser(joined, last, encoder_hidden_states=states).sample
        # The schedule ends in pure noise, where the velocity is the negative clean latent.
        return -velocity.float() / self.vae.config.scaling_factor

    @torch.no_grad()
    def _encoded(self, pair: PicturePair) -> Tensor:
        """Return the unscaled latent [1,c,h,w] of a pair's source; each is encoded once."""
        if pair.key not in self._source_latents:
            picture = pair.source[None].to(self.options.device)
            picture = picture.contiguous(memory_format=torch.channels_last)
            with half_precision_where_fast(picture.device):
                self._source_latents[pair.key] = self.vae.encode(picture).latents.half()
        return self._source_latents[pair.key]

    @torch.no_grad()
    def _embedded(self, text: str) -> Tensor:
        """Return the text encoder's states [1,t,d]; each text is embedded once."""
        if text not in self._states:
            tokens = self.tokenizer(
                text,
                padding="max_length",
                max_length=self.editor_config.max_prompt_tokens,
                truncation=True,
                return_tensors="pt",
            ).input_ids
            self._states[text] = self.text_encoder(tokens.to(self.options.device)).last_hidden_state
        return self._states[text]

    def _compared(
        self, pred: Tensor, target: Tensor, counted: Tensor, regions: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        # Pixels that do not count are those of the target, so that no network sees the others.
        pred = pred * counted + target * (1 - counted)
        small = torch.isin(regions, self._weighted_regions)[:, None].to(pred)
        weight = 1 + (options.feature_weight - 1) * small
        difference, share = pred - target, counted.mean()
        l1 = (difference.abs() * weight).mean() / share
        mse = difference.square().mean() / share
        perceptual = self.perceptual(pred, target).mean()
        loss = options.l1 * l1 + options.mse * mse + options.perceptual * perceptual
        figures = {
            "l1": float(l1.detach()),
            "mse": float(mse.detach()),
            "perceptual": float(perceptual.detach()),
            "sharpness": float((sharpness(pred.detach()) / sharpness(target)).mean()),
        }
        return loss, figures

    def evaluate(self, averaged: Modules) -> dict[str, float]:
        return self.examples.measure(self._editor(averaged))

    def sheet(self, averaged: Modules, path: Path) -> None:
        self.examples.save_sheet(self._editor(averaged), path)

    def _editor(self, averaged: Modules) -> Any:
        from triptych.editors.instruct_pix2pix import InstructPix2PixEditor

        return InstructPix2PixEditor(
            unet=averaged["unet"],
            vae=averaged["vae"],
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            scheduler=self.scheduler,
            config=self.editor_config,
            name="editor in training",
        )


def one_step_config(config: EditorConfig) -> EditorConfig:
    """Return an editor's settings for edits in one step from pure noise without guidance."""
    return replace(config, num_steps=1, noise_level=1.0, text_guidance=1.0, image_guidance=1.0)
