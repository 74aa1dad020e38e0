"""The embedded image editor: a small InstructPix2Pix trained on pairs of avatar variants.

A pair is the same head from the same camera, original and in another variant, with a phrase for the
variant. The UNet and the text encoder are trained together; the autoencoder is trained before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from triptych.avatars.sets.shards import ShardSet
from triptych.avatars.styles.catalogue import STYLES
from triptych.avatars.styles.phrases import vocabulary
from triptych.editors.image_editor import EditorConfig, embedded_editor_config
from triptych.ops.placement import channels_last
from triptych.ops.precision import half_precision_where_fast
from triptych.training.compilation import compiled
from triptych.training.editor.examples import EditExamples
from triptych.training.editor.latents import EncodingPlan, LatentPairs, encode_shards
from triptych.training.editor.networks import (
    EditorNetworksConfig,
    build_scheduler,
    build_text_encoder,
    build_unet,
)
from triptych.training.editor.style_weights import VariantSampler
from triptych.training.editor.text import PhraseGrammar, train_tokenizer
from triptych.training.editor.vae import load_vae
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult

LOOP = LoopConfig(
    learning_rate=5e-4,
    weight_decay=1e-2,
    warmup_steps=100,
    ema_decay=0.999,
    save_every_s=300.0,
    sheet_every_s=1200.0,
)

WRITES_FOLDER = True


@dataclass(frozen=True)
class Options:
    """Data, networks and conditioning.

    Attributes:
        shards: Folders of avatar shards with several style variants per head.
        test_shards: Folder of such shards of held-out heads.
        prior_renders: Folder of shards whose original variant is rendered by the generator, added
            to the others because the editor reads such renders at inference.
        vae: Folder of the trained autoencoder.
        latents: Cache folder of encoded pictures.
        start_from: Folder of an exported editor whose UNet and text encoder to start from.
        batch: Pairs per step.
        unet_channels: Channels of the UNet's stages.
        unet_layers: Residual blocks per stage.
        combination_share: Share of the pairs whose variant combines two styles.
        late_share: Share of the timesteps drawn from the noisiest 40 %, which determine the edit.
        first_share: Share of the timesteps at the end of the schedule, in pure noise: the first
            step of every edit, which determines most of it when there are few steps.
        drop_text, drop_both, drop_image: Probabilities of dropping conditions, for guidance.
        change_weight: Extra weight of the parts of a latent that the edit changes.
        pooling: Side of the blocks over which latents are averaged. Small latents are cheap and
            determine colour and outline: start with 2, continue with 1.
        filtered_views, filtered_combinations: See `EncodingPlan`.
        compile: Compile the UNet: steps take about half the time, the first ones minutes.
        device: Training device, as torch spells it.
    """

    shards: tuple[str, ...] = ("runs/data/variants",)
    test_shards: str = "runs/data/variants_test"
    prior_renders: str | None = None
    vae: str = "runs/editor-vae/editor-vae"
    latents: str = "runs/editor/latents"
    start_from: str | None = None
    batch: int = 32
    unet_channels: tuple[int, ...] = (96, 192, 256)
    unet_layers: int = 1
    combination_share: float = 0.12
    late_share: float = 0.5
    first_share: float = 0.0
    drop_text: float = 0.05
    drop_both: float = 0.05
    drop_image: float = 0.05
    change_weight: float = 1.0
    pooling: int = 1
    filtered_views: int = 2
    filtered_combinations: int = 2
    compile: bool = False
    device: str = "cpu"


def build(options: Options) -> EditorRecipe:
    """Encode the data (once) and build the recipe with new or given networks."""
    return EditorRecipe(options)


def export(recipe: EditorRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged editor as a folder in diffusers' format, fp16, at most 45 MB."""
    from triptych.training.editor.export import EditorToExport, export_editor

    editor = EditorToExport(
        unet=result.averaged["unet"],
        vae=recipe.vae,
        text_encoder=result.averaged["text_encoder"],
        tokenizer=recipe.tokenizer,
        scheduler=recipe.scheduler,
        config=recipe.editor_config,
    )
    provenance = {
        "recipe": recipe.name,
        "steps": result.step,
        "heads": recipe.num_heads,
        "pairs": len(recipe.pairs.variants),
        "prior_renders": recipe.options.prior_renders is not None,
    }
    export_editor(editor, out, provenance=provenance, metrics=result.metrics)


class EditorRecipe:
    """Denoising of edited latents, conditioned on the source and a phrase."""

    name = "editor"

    def __init__(self, options: Options) -> None:
        self.options = options
        vae: Any = load_vae(options.vae).eval().requires_grad_(False)
        self.vae: Any = channels_last(vae.to(options.device))
        folders = [*options.shards, *filter(None, [options.prior_renders])]
        sets = [ShardSet(folder) for folder in folders]
        self.num_heads = sum(map(len, sets))
        plan = EncodingPlan(options.filtered_views, options.filtered_combinations)
        self.pairs: LatentPairs = encode_shards(sets, self.vae, options.vae, options.latents, plan)
        self.sampler = VariantSampler(self.pairs.by_variant(), options.combination_share)
        self.networks = EditorNetworksConfig(
            image_size=sets[0].size,
            unet_channels=options.unet_channels,
            unet_layers=options.unet_layers,
        )
        self.grammar = PhraseGrammar()
        self.tokenizer = train_tokenizer(self.grammar.corpus(), self.networks.max_prompt_tokens)
        self.scheduler = build_scheduler()
        self.editor_config: EditorConfig = embedded_editor_config(
            self.networks.image_size,
            max_prompt_tokens=self.networks.max_prompt_tokens,
            vocabulary=tuple(sorted(vocabulary())),
            known_styles=tuple(STYLES),
        )
        self.unet, self.text_encoder = self._networks()
        self.modules: Modules = {"unet": self.unet, "text_encoder": self.text_encoder}
        self.denoiser = compiled(self.unet, options.compile)
        self.examples = EditExamples(ShardSet(options.test_shards))
        self._tokens: dict[str, list[int]] = {}

    def _networks(self) -> tuple[Any, Any]:
        if self.options.start_from is None:
            unet: nn.Module = build_unet(self.networks)
            text_encoder: nn.Module = build_text_encoder(self.networks, len(self.tokenizer))
        else:
            from triptych.editors.files import load_editor_parts

            parts = load_editor_parts(self.options.start_from)
            unet, text_encoder = parts.unet, parts.text_encoder
            # Other phrases would give another tokenizer, which does not fit the text encoder.
            self.tokenizer = parts.tokenizer
        device = self.options.device
        return channels_last(unet.to(device)).train(), text_encoder.to(device).train()

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        chosen = self.sampler.draw(self.options.batch, rng)
        source = self._latents(self.pairs.source[chosen])
        target = self._latents(self.pairs.target[chosen])
        tokens, shown = self._conditions([self.pairs.variants[i] for i in chosen], rng)
        clean = target * self.vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        timesteps = self._timesteps(len(clean), generator).to(clean.device)
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        velocity = self.scheduler.get_velocity(clean, noise, timesteps)
        inputs = torch.cat([noisy, source * shown[:, None, None, None]], dim=1)
        with half_precision_where_fast(inputs.device):
            states = self.text_encoder(tokens).last_hidden_state
            predicted = self.denoiser(
                inputs.contiguous(memory_format=torch.channels_last),
                timesteps,
                encoder_hidden_states=states,
            ).sample
        error = (predicted.float() - velocity).square()
        weight = change_weights(source, target, self.options.change_weight)
        late = timesteps >= 600
        figures = {
            "error": float(error.detach().mean()),
            "error_late": _mean_where(error.detach(), late),
            "error_early": _mean_where(error.detach(), ~late),
        }
        return (error * weight).mean(), figures

    def _latents(self, rows: Tensor) -> Tensor:
        """Return encoded pictures [b,c,h,w], averaged over blocks when the options say so."""
        latents = self.pairs.latents[rows].float().to(self.options.device)
        return F.avg_pool2d(latents, self.options.pooling) if self.options.pooling > 1 else latents

    def _conditions(self, variants: list[str], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return tokens [b,t] of the instructions and whether the source is shown [b], 0 or 1."""
        options = self.options
        draw = rng.random(len(variants))
        # One draw decides what is dropped: text alone, both, or the image alone.
        text_ends = options.drop_text + options.drop_both
        image_ends = text_ends + options.drop_image
        without_text = draw < text_ends
        without_image = (draw >= options.drop_text) & (draw < image_ends)
        texts = [
            self.grammar.no_instruction(rng) if dropped else self.grammar.instruction(variant, rng)
            for variant, dropped in zip(variants, without_text, strict=True)
        ]
        tokens = torch.tensor([self._tokenized(text) for text in texts])
        shown = torch.from_numpy(~without_image).float()
        return tokens.to(options.device), shown.to(options.device)

    def _tokenized(self, text: str) -> list[int]:
        if text not in self._tokens:
            self._tokens[text] = self.tokenizer(
                text,
                padding="max_length",
                max_length=self.networks.max_prompt_tokens,
                truncation=True,
            ).input_ids
        return self._tokens[text]

    def _timesteps(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw timesteps: from the whole schedule, from its noisiest 40 % and from its end."""
        length = int(self.scheduler.config.num_train_timesteps)
        position = torch.rand(count, generator=generator)
        late = torch.rand(count, generator=generator) < self.options.late_share
        first = torch.rand(count, generator=generator) < self.options.first_share
        position = torch.where(late, 0.6 + 0.4 * position, position)
        position = torch.where(first, torch.ones(()), position)
        return (position * length).long().clamp(0, length - 1)

    def evaluate(self, averaged: Modules) -> dict[str, float]:
        return self.examples.measure(self._editor(averaged))

    def sheet(self, averaged: Modules, path: Path) -> None:
        self.examples.save_sheet(self._editor(averaged), path)

    def _editor(self, averaged: Modules) -> Any:
        from triptych.editors.instruct_pix2pix import InstructPix2PixEditor

        return InstructPix2PixEditor(
            unet=averaged["unet"],
            vae=self.vae,
            text_encoder=averaged["text_encoder"],
            tokenizer=self.tokenizer,
            scheduler=self.scheduler,
            config=self.editor_config,
            name="editor in training",
        )


def change_weights(source: Tensor, target: Tensor, strength: float) -> Tensor:
    """Return weights [b,1,h,w] of mean 1 that grow with how much an edit changes each place.

    Most of a picture often stays the same (an elf's ears cover few pixels); with a plain mean the
    editor would learn to change nothing.
    """
    change = (target - source).abs().mean(dim=1, keepdim=True)
    relative = change / change.mean(dim=(2, 3), keepdim=True).clamp_min(1e-3)
    weight = 1 + strength * relative.clamp(max=4)
    return weight / weight.mean(dim=(2, 3), keepdim=True)


def _mean_where(values: Tensor, chosen: Tensor) -> float:
    """Return the mean of the chosen rows, or of all when none is chosen."""
    return float(values[chosen].mean()) if bool(chosen.any()) else float(values.mean())
