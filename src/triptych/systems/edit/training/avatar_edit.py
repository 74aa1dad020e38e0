"""The editor of avatars: a photo and a prompt, in words or as a picture, to the planes of the edit.

The base is frozen; prompt branch, projection of words and plane branch learn from true pictures of
the edited head.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.avatars.styles.phrases import sample_phrase
from triptych.config import check_fields
from triptych.editors.prompt_encoder import PromptEncoder
from triptych.metrics.image_metrics import psnr
from triptych.systems.edit.encoder_config import avatar_prompt
from triptych.systems.edit.network import (
    PortraitEncoder,
    PortraitEncoderConfig,
    TextPromptConfig,
)
from triptych.systems.edit.preprocessing import reference_input
from triptych.systems.edit.training.avatar_recipe import FULL_RATE_INPUTS, as_photo, shown
from triptych.training.avatar_views import AvatarViews, Chosen, spread_over
from triptych.training.editor.text import PhraseGrammar
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.parameter_groups import ParameterGroup, grouped_by_inputs
from triptych.training.ray_comparison import RayComparison, RayWeights, patch_plan
from triptych.training.sheets import save_sheet
from triptych.training.style_variants import pictures_of, rendered_variants
from triptych.training.trained_weights import save_trained
from triptych.weights.loading import load_network

LOOP = LoopConfig(learning_rate=1e-3, betas=(0.9, 0.99), weight_decay=1e-3, ema_decay=0.998)


@dataclass(frozen=True)
class Options:
    """Base, data, batch and loss weights.

    Attributes:
        base: Weights (.safetensors) of `train live3d-avatars`.
        start_from: Weights (.safetensors) of an earlier run; a new prompt branch when None.
        text_encoder: Editor whose text encoder reads words.
        shards: Folder of avatar shards with style variants.
        test_shards: Folder of such shards of held-out heads.
        batch: Edits per step.
        views: Target cameras of each.
        patch: Side of a patch in rays.
        face_share: Share of patches round parts of the face.
        own_samples: Samples of a ray where the network itself has its surface.
        randomisation: Share of photos with another background, light, blur and noise.
        text_share: Share of prompts in words; the others are pictures of other heads.
        kept_share: Share of heads that stay as they are, whose prompt is another plain head or
            words that ask for nothing.
        drawn_share: Share of edits in a style that only filters the picture.
        learn_all: Whether the base learns too.
        weights: Of the comparison of rays.
        features: Embedded network of the perceptual term.
        device: Training device, as torch spells it.
    """

    base: str = "runs/live3d-avatars/live3d-avatars.safetensors"
    start_from: str | None = None
    text_encoder: str = "avatar-editor"
    shards: str = "runs/data/variants"
    test_shards: str = "runs/data/variants_test"
    batch: int = 4
    views: int = 2
    patch: int = 24
    face_share: float = 0.4
    own_samples: int = 6
    randomisation: float = 0.5
    text_share: float = 0.6
    kept_share: float = 0.08
    drawn_share: float = 0.2
    learn_all: bool = False
    weights: RayWeights = field(default_factory=RayWeights)
    features: str = "avatar-features"
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_fields(
            self,
            batch=(1, 4096),
            views=(1, 64),
            patch=(2, 1024),
            own_samples=(2, 256),
            text_share=(0, 1),
            kept_share=(0, 1),
            drawn_share=(0, 1),
        )


def build(options: Options) -> AvatarEditRecipe:
    """Build the recipe over a given base."""
    return AvatarEditRecipe(options)


def export(recipe: AvatarEditRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged network as a self-describing fp16 weight file."""
    save_trained(recipe, result, "network", out, heads=len(recipe.views.shards))


class AvatarEditRecipe:
    """Edits of avatars by words and by pictures, mixed in every step."""

    name = "edit-avatars"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.words = PromptEncoder.from_pretrained(options.text_encoder).to(options.device)
        if options.start_from is None:
            base = load_network(options.base, "portrait-encoder")
            network = with_prompts(base, options.text_encoder, self.words.width)
        else:
            network = load_network(options.start_from, "portrait-encoder")
        self.network = network.to(options.device).requires_grad_(False)
        for part in self._learning():
            part.requires_grad_(True)
        self.modules: Modules = {"network": self.network}
        self.grammar = PhraseGrammar()
        plan = patch_plan(options.batch, options.views, options.patch, options.face_share)
        self.views = AvatarViews(
            ShardSet(options.shards),
            plan,
            randomisation=options.randomisation,
            drawn_share=options.drawn_share,
        )
        self.test_views = AvatarViews(ShardSet(options.test_shards), plan)
        self.compared = RayComparison(
            self.views, options.weights, options.features, options.own_samples, options.device
        )

    def _learning(self) -> list[Any]:
        encoder = self.network.encoder
        if self.options.learn_all:
            return [encoder, self.network.text]
        return [encoder.Ref_encoder, encoder.Final_encoder, self.network.text]

    def groups(self) -> list[ParameterGroup]:
        """Return what learns, at rates that fall with the inputs of a layer."""
        learning = [weight for weight in self.network.parameters() if weight.requires_grad]
        return grouped_by_inputs(learning, FULL_RATE_INPUTS)

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options, network, views = self.options, self.network, self.views
        encoder = network.encoder
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        chosen = [views.choose(rng, options.kept_share) for _ in range(options.batch)]
        photos = torch.stack([views.photo(one, rng) for one in chosen]).to(options.device)
        with torch.set_grad_enabled(options.learn_all):
            photo = encoder.photo_features(as_photo(network, photos))
        assert encoder.Ref_encoder is not None
        photo = replace(photo, queries=encoder.Ref_encoder.queries(photo.high))
        # Words and pictures have different numbers of tokens, so each half is a batch of its own.
        in_words = rng.random(options.batch) < options.text_share
        planes: list[Tensor] = [photo.low] * options.batch
        for spoken in (True, False):
            places = np.flatnonzero(in_words == spoken).tolist()
            if not places:
                continue
            asked = [chosen[place] for place in places]
            tokens = self._words(asked, rng) if spoken else self._pictures(asked, rng)
            part = replace(
                photo,
                low=photo.low[places],
                high=photo.high[places],
                queries=photo.queries[places] if photo.queries is not None else None,
            )
            for place, made in zip(places, encoder.planes(part, tokens), strict=True):
                planes[place] = made
        terms = self.compared.terms(
            network.plane_renderer.field(torch.stack(planes)),
            network.config.rendering.rendering,
            chosen,
            rng,
        )
        loss = torch.stack(list(terms.values())).sum()
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def _words(self, chosen: list[Chosen], rng: np.random.Generator) -> Tensor:
        """Return tokens of phrases for the targets."""
        phrases = [
            self.grammar.no_instruction(rng)
            if one.variant == ORIGINAL
            else self.grammar.instruction(one.variant, rng)
            for one in chosen
        ]
        return self.network.text_tokens(torch.cat([self.words.states(text) for text in phrases]))

    def _pictures(self, chosen: list[Chosen], rng: np.random.Generator) -> Tensor:
        """Return tokens of other heads in the styles of the targets."""
        pictures = torch.stack([self.views.reference(one, rng) for one in chosen])
        return self._reference_tokens(self.network, pictures)

    def _reference_tokens(self, network: Any, pictures: Tensor) -> Tensor:
        prompt = network.config.encoder.prompt
        shown_to_it = reference_input(pictures.to(self.options.device), prompt)
        return network.encoder.reference_tokens(shown_to_it)

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        rows = self._compare(averaged["network"], heads=12)
        front, side = rows[:, 2], rows[:, 5]
        return {
            "unedited": round(float(psnr(rows[:, 0], front).mean()), 3),
            "words": round(float(psnr(rows[:, 3], front).mean()), 3),
            "picture": round(float(psnr(rows[:, 4], front).mean()), 3),
            "words_side": round(float(psnr(rows[:, 6], side).mean()), 3),
            "picture_side": round(float(psnr(rows[:, 7], side).mean()), 3),
        }

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        titles = (
            *("photo", "reference", "true", "words", "picture"),
            *("true side", "words side", "picture side"),
        )
        save_sheet(list(self._compare(averaged["network"], heads=8)), path, titles)

    def _compare(self, network: Any, heads: int) -> Tensor:
        """Return pictures [heads, 8, 3, h, w] of held-out heads, as `sheet` names them."""
        views, rows = self.test_views, []
        for head in spread_over(views.shards, heads):
            rng = np.random.default_rng(head)
            named = [name for name in rendered_variants(views.shards, head) if name != ORIGINAL]
            variant = named[head % len(named)]
            photo = pictures_of(views.shards, head, ORIGINAL, (0,))
            true = pictures_of(views.shards, head, variant, (0, 1))
            reference = views.reference(Chosen(head, variant, 0), rng)
            features = network.encoder.photo_features(
                as_photo(network, photo.to(self.options.device))
            )
            states = self.words.prompt(sample_phrase(variant.split("+"), rng))
            asked = (network.text_tokens(states), self._reference_tokens(network, reference[None]))
            planes = [network.encoder.planes(features, tokens) for tokens in asked]
            made = [
                shown(network, part, views, head, view).cpu() for view in (0, 1) for part in planes
            ]
            rows.append(torch.stack([photo[0], reference, true[0], *made[:2], true[1], *made[2:]]))
        return torch.stack(rows)


def with_prompts(base: PortraitEncoder, text_encoder: str, width: int) -> PortraitEncoder:
    """Return a network that starts as a base, with a new prompt branch for words and pictures.

    Args:
        base: A network without one.
        text_encoder: Name of the editor whose text encoder reads words.
        width: Width of its states.
    """
    encoder = replace(base.config.encoder, prompt=avatar_prompt(), keeps_base=True)
    text = TextPromptConfig(text_encoder, width)
    network = PortraitEncoder(PortraitEncoderConfig(encoder, base.config.rendering, text))
    missing, unexpected = network.load_state_dict(base.state_dict(), strict=False)
    assert not unexpected
    new = ("encoder.Ref_encoder.", "encoder.Base_encoder.", "text.")
    assert all(name.startswith(new) for name in missing)
    assert network.encoder.Base_encoder is not None
    network.encoder.Base_encoder.load_state_dict(base.encoder.Final_encoder.state_dict())
    return network
