"""The example styler of avatars: any example picture to the style of every head, from true targets.

Generator and body of the encoder are frozen; the code and its affine maps learn from avatars that
are truly in the style of an example, which shows another avatar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from triptych.avatars.sets.shards import ORIGINAL, ShardSet
from triptych.config import check_fields
from triptych.errors import UserError
from triptych.fields.recoloured_decoder import recoloured
from triptych.metrics.image_metrics import psnr
from triptych.models.example_styler import ExampleStyler, ExampleStylerConfig
from triptych.models.style_numbers import StyleNumbers
from triptych.ops.modulated_conv import Modulation
from triptych.systems.adapt.shape_change import shape_terms
from triptych.training.avatar_views import AvatarViews, Chosen, keeps_shape, spread_over, tinted
from triptych.training.head_views import HeadViews, ViewSettings
from triptych.training.loop import LoopConfig, Modules, Progress, TrainingResult
from triptych.training.ray_comparison import RayComparison, RayWeights, patch_plan
from triptych.training.sheets import save_sheet
from triptych.training.style_variants import kind_of, pictures_of, rendered_variants
from triptych.training.trained_weights import save_trained
from triptych.weights import load_features, load_generator, load_network, read_header
from triptych.weights.registry import weight_file

LOOP = LoopConfig(learning_rate=1e-4, betas=(0.9, 0.99), weight_decay=1e-3, ema_decay=0.998)
_STATISTICS_OF = 200


@dataclass(frozen=True)
class Options:
    """Data, batch and loss weights.

    Attributes:
        generator: The frozen generator.
        body: Feature network that the encoder's frozen body is taken from. The other one is the
            judge of evaluations.
        shards: Folder of avatar shards with style variants.
        test_shards: Folder of such shards of held-out heads.
        start_from: Weights (.safetensors) of an earlier run; a new styler when None.
        hold_out: Styles that are not learned, to measure unknown ones.
        batch: Heads per step, each in a style of its own.
        views: Target cameras of each.
        patch: Side of a patch in rays.
        face_share: Share of patches round parts of the face.
        own_samples: Samples of a ray where the styled head itself has its surface.
        kept_share: Share of examples without a style.
        drawn_share: Share of styles that only filter the picture.
        tint_share: Share of pairs whose colours are changed alike in example and target: styles
            that no list names.
        shape: Weight of the change of opacity at points of the box, against the unstyled head, for
            one head per step whose style keeps the shape: pictures say nothing of what no ray of
            theirs meets.
        weights: Of the comparison of rays.
        device: Training device, as torch spells it.
    """

    generator: str = "avatar-generator"
    body: str = "avatar-features"
    shards: str = "runs/data/variants"
    test_shards: str = "runs/data/variants_test"
    start_from: str | None = None
    hold_out: tuple[str, ...] = ()
    batch: int = 4
    views: int = 2
    patch: int = 24
    face_share: float = 0.3
    own_samples: int = 4
    kept_share: float = 0.06
    drawn_share: float = 0.2
    tint_share: float = 0.25
    shape: float = 0.3
    weights: RayWeights = field(default_factory=RayWeights)
    device: str = "cpu"

    def __post_init__(self) -> None:
        share = (0.0, 1.0)
        check_fields(
            self,
            batch=(1, 4096),
            views=(1, 64),
            patch=(2, 1024),
            own_samples=(2, 256),
            face_share=share,
            kept_share=share,
            drawn_share=share,
            tint_share=share,
            shape=(0.0, 1e6),
        )


def build(options: Options) -> AvatarStylesRecipe:
    """Build the recipe with a new or given styler."""
    return AvatarStylesRecipe(options)


def export(recipe: AvatarStylesRecipe, result: TrainingResult, out: str | Path) -> None:
    """Write the averaged styler as a self-describing fp16 weight file."""
    options, heads = recipe.options, len(recipe.views.shards)
    held_out = list(options.hold_out)
    save_trained(recipe, result, "styler", out, heads=heads, body=options.body, hold_out=held_out)


class AvatarStylesRecipe:
    """Examples of avatars in a style to the same style on every other avatar."""

    name = "adapt-avatars"

    def __init__(self, options: Options) -> None:
        self.options = options
        self.generator = load_generator(options.generator, options.device).requires_grad_(False)
        plan = patch_plan(options.batch, options.views, options.patch, options.face_share)
        self.views = AvatarViews(
            ShardSet(options.shards),
            plan,
            drawn_share=options.drawn_share,
            hold_out=options.hold_out,
        )
        self.test_views = AvatarViews(ShardSet(options.test_shards), plan)
        self.styler = self._styler().to(options.device).requires_grad_(False)
        for part in (self.styler.encode, self.styler.affine1, self.styler.shift):
            part.requires_grad_(True)
        self.styler.colours.requires_grad_(True)
        self.modules: Modules = {"styler": self.styler}
        self.compared = RayComparison(
            self.views, options.weights, options.body, options.own_samples, options.device
        )
        self.shown = HeadViews(self.generator, ViewSettings(coarse=24, keep_every=2, fine=16))

    def _styler(self) -> ExampleStyler:
        options = self.options
        sha256 = read_header(weight_file(options.generator, "generator")).sha256
        if options.start_from is not None:
            styler: ExampleStyler = load_network(options.start_from, "example-styler")
            if styler.config.sha256 != sha256:
                raise UserError(f"{options.start_from} belongs to another generator")
            return styler
        body = load_features(options.body)
        name = Path(options.generator).name
        styler = ExampleStyler(ExampleStylerConfig.of(self.generator, name, sha256, body))
        styler.start_from(body)
        rng = np.random.default_rng(0)
        examples = [self._example(self._drawn(rng), rng) for _ in range(_STATISTICS_OF)]
        styler.set_statistics(torch.stack(examples))
        return styler

    def _drawn(self, rng: np.random.Generator) -> Chosen:
        return self.views.choose(rng, self.options.kept_share)

    def _example(self, chosen: Chosen, rng: np.random.Generator) -> Tensor:
        """Return another head in a style [3, s, s], often mirrored."""
        picture = self.views.reference(chosen, rng)
        return picture.flip(-1) if rng.random() < 0.5 else picture

    def loss(
        self, progress: Progress, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        options = self.options
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        chosen = [self._drawn(rng) for _ in range(options.batch)]
        tints = _tints(len(chosen), options.tint_share, rng)
        examples = torch.stack([self._example(one, rng) for one in chosen])
        examples = tinted(examples.movedim(1, -1), tints).movedim(-1, 1)
        with torch.no_grad():
            statistics = self.styler.statistics(examples.to(options.device))
        numbers = self.styler.numbers(statistics)
        ws = self._codes(self.views, [one.head for one in chosen])
        planes = torch.cat(
            [
                self._planes(code[None], numbers.one(index), gradients=True)
                for index, code in enumerate(ws)
            ]
        )
        field = recoloured(self.generator.field(planes), numbers.colours)
        terms = self.compared.terms(
            field, self.generator.config.rendering, chosen, rng, tints=tints
        )
        keeping = [index for index, one in enumerate(chosen) if _keeps_shape(one.variant)]
        if options.shape and keeping:
            one = slice(keeping[0], keeping[0] + 1)
            with torch.no_grad():
                plain = self.generator.planes(ws[one])
            _, change = shape_terms(self.generator, planes[one], plain, generator)
            terms["shape"] = options.shape * change
        loss = torch.stack(list(terms.values())).sum()
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def _planes(self, ws: Tensor, numbers: StyleNumbers, *, gradients: bool) -> Tensor:
        modulation: Modulation | None = "activations" if gradients else None
        edits = numbers.edits(self.generator)
        return self.generator.planes(ws, modulation=modulation, edits=edits)

    def _codes(self, views: AvatarViews, heads: list[int]) -> Tensor:
        """Return the codes [b, k, d] of avatars of a set."""
        attributes = np.stack([views.shards.get("attributes", head) for head in heads])
        with torch.no_grad():
            return self.generator.mapping(torch.from_numpy(attributes).to(self.options.device))

    @torch.no_grad()
    def evaluate(self, averaged: Modules) -> dict[str, float]:
        known, plain = self._figures(averaged["styler"], self._test_pairs(12, held_out=False))
        figures = {"unstyled": plain, "psnr": known}
        if self.options.hold_out and (pairs := self._test_pairs(6, held_out=True)):
            unknown, plain = self._figures(averaged["styler"], pairs)
            figures |= {"held_out_unstyled": plain, "held_out_psnr": unknown}
        return {name: round(value, 3) for name, value in figures.items()}

    @torch.no_grad()
    def sheet(self, averaged: Modules, path: Path) -> None:
        pairs = [*self._test_pairs(6, held_out=False), *self._test_pairs(3, held_out=True)]
        rows = [self._row(averaged["styler"], *pair) for pair in pairs]
        save_sheet(rows, path, ("example", "unstyled", "true", "styled", "true side", "side"))

    def _figures(self, styler: Any, pairs: list[tuple[int, str]]) -> tuple[float, float]:
        """Return the PSNR of styled and of unstyled heads to true ones."""
        rows = torch.stack([self._row(styler, *pair, views=(0,)) for pair in pairs])
        styled = psnr(rows[:, 3], rows[:, 2]).mean()
        return float(styled), float(psnr(rows[:, 1], rows[:, 2]).mean())

    def _test_pairs(self, num: int, *, held_out: bool) -> list[tuple[int, str]]:
        """Return held-out heads, each with a style that it is rendered in."""
        pairs = []
        for head in range(len(self.test_views.shards)):
            named = [
                name
                for name in rendered_variants(self.test_views.shards, head)
                if name != ORIGINAL
                and bool(set(name.split("+")) & set(self.options.hold_out)) == held_out
            ]
            if named:
                pairs.append((head, named[head % len(named)]))
        return [pairs[index] for index in spread_over(pairs, num)] if pairs else []

    def _row(self, styler: Any, head: int, variant: str, views: Sequence[int] = (0, 1)) -> Tensor:
        """Return the pictures [2 + 2 v, 3, s, s] of a row of the sheet, from v cameras."""
        rng = np.random.default_rng(head)
        example = self.test_views.reference(Chosen(head, variant, 0), rng)
        numbers = styler(example[None].to(self.options.device)).one(0)
        pictures = partial(self._pictures, self._codes(self.test_views, [head]), head=head)
        row = [example, *pictures(StyleNumbers.untouched(self.generator), views=(0,))]
        true = pictures_of(self.test_views.shards, head, variant, views)
        for pair in zip(true, pictures(numbers, views=views), strict=True):
            row.extend(pair)
        return torch.stack(row)

    def _pictures(
        self, ws: Tensor, numbers: StyleNumbers, *, head: int, views: Sequence[int]
    ) -> list[Tensor]:
        """Return the pictures [3, s, s] of a head in a style, from cameras of a set."""
        planes, rendered = self._planes(ws, numbers, gradients=False), []
        for view in views:
            camera = self.test_views.camera(head, view).to(self.options.device)
            edits = numbers.edits(self.generator)
            picture = self.shown.preview(
                planes, ws, camera, None, edits=edits, colours=numbers.colours
            )
            rendered.append(picture[0].cpu())
        return rendered


def _keeps_shape(variant: str) -> bool:
    """Say whether a style changes the surface alone: materials, and filters of the picture."""
    return keeps_shape(variant) or kind_of(variant) == "material"


def _tints(num: int, share: float, rng: np.random.Generator) -> Tensor:
    """Return changes of colour [num, 3, 3]: for a share of them other hues, more or less of them.

    The plain background's grey, about which they turn, stays.
    """
    tints = np.tile(np.eye(3, dtype=np.float32), (num, 1, 1))
    for tint in tints:
        if rng.random() >= share:
            continue
        tint[:] = rng.uniform(0.5, 1.1) * tint + rng.normal(0, 0.25, (3, 3))
    return torch.from_numpy(tints)
