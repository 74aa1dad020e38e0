"""PStyle-3D's generator: EG3D with a second affine map per styled layer, fed by a style code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from triptych.errors import UserError
from triptych.models.eg3d import EG3DConfig, TriPlaneGenerator
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.models.styled_layers import StyledLayer, styled_layers
from triptych.nn.fully_connected import FullyConnectedLayer
from triptych.nn.synthesis_layers import Edits, LayerEdit, ToRGBLayer, styles_from
from triptych.portrait.style_folding import fold_style, with_gains
from triptych.systems.adapt.residual_block import ResidualBlock

_FIRST_OF_HEAD = "superresolution.block0"
ModRes = Literal["double", "residual", "off"]
RGBGain = Literal["twice", "once"]


@dataclass(frozen=True)
class StyledGeneratorConfig(EG3DConfig):
    """EG3D's configuration and the two choices that PStyle-3D's code leaves.

    Attributes:
        modres: What stands behind styled convolutions when a style is given. "double": maps are
            doubled, as in the released code, whose residual branch is overwritten with its input;
            every published checkpoint needs it. "residual": the branch is added, as designed.
            "off": nothing.
        rgb_gain: How often the gain of a ToRGB layer's weights is applied when a style is given:
            "twice" as in the released code, where it multiplies both style vectors; or "once".
    """

    modres: ModRes = "double"
    rgb_gain: RGBGain = "twice"

    def plain(self) -> EG3DConfig:
        """Return the configuration of the same generator without a style."""
        names = [field.name for field in dataclasses.fields(EG3DConfig)]
        return EG3DConfig(**{name: getattr(self, name) for name in names})

    @classmethod
    def around(
        cls, config: EG3DConfig, *, modres: ModRes = "off", rgb_gain: RGBGain = "once"
    ) -> StyledGeneratorConfig:
        """Return the configuration of a plain generator with styles added to it."""
        names = [field.name for field in dataclasses.fields(EG3DConfig)]
        values = {name: getattr(config, name) for name in names}
        return cls(**values, modres=modres, rgb_gain=rgb_gain)


class StyledGenerator(TriPlaneGenerator):
    """A tri-plane generator whose styles are multiplied with those of a style code.

    With s = affine(w) and s_d = affine1(w_style), weights are scaled by s * s_d and demodulated
    with the product. Without edits it is the plain generator. Parameter names are the published
    ones.

    Args:
        config: What to build.
        rng: Source of the initial weights; None starts from a fixed seed.

    Reference: PStyle-3D, domain adaptation module (released code).
    """

    config: StyledGeneratorConfig

    def __init__(
        self, config: StyledGeneratorConfig, *, rng: torch.Generator | None = None
    ) -> None:
        rng = rng or torch.Generator().manual_seed(0)
        super().__init__(config, rng=rng)
        for styled in styled_layers(self):
            width = styled.layer.affine.weight.shape[0]
            affine = FullyConnectedLayer(config.w_dim, width, bias=1.0, rng=rng)
            styled.layer.add_module("affine1", affine)
            if styled.residual is not None and config.modres == "residual":
                parent, _, own = styled.residual.rpartition(".")
                block = ResidualBlock(styled.layer.weight.shape[0], config.w_dim, rng=rng)
                self.get_submodule(parent).add_module(own, block)

    @classmethod
    def around(cls, generator: TriPlaneGenerator) -> StyledGenerator:
        """Return a plain generator with style affines that leave every head as it is.

        Their weights are zero and their biases one, so that training starts from the unstyled head;
        the published initial weights do not.
        """
        styled = cls(StyledGeneratorConfig.around(generator.config))
        for place in styled_layers(styled):
            affine = style_affine(place)
            nn.init.zeros_(affine.weight)
            nn.init.ones_(affine.bias)
        styled.load_state_dict(generator.state_dict(), strict=False)
        return styled.to(next(generator.parameters()).device).eval().requires_grad_(False)

    def edits(self, w_style: Tensor, strength: StyleStrength = FULL_STRENGTH) -> Edits:
        """Return what a style changes in the layers; `planes` and `render` take it.

        Args:
            w_style: Style codes [b or 1, num_ws, w_dim].
            strength: How much of the style.
        """
        self.check_codes(w_style)
        return {
            styled.layer: LayerEdit(
                self._scale(styled, w_style, strength),
                after=self._after(styled, w_style, strength),
            )
            for styled in styled_layers(self)
        }

    def _scale(self, styled: StyledLayer, w_style: Tensor, strength: StyleStrength) -> Tensor:
        """Return the factors [b, i] of a layer's styles: 1 + strength * (s_d - 1)."""
        scale = styles_from(style_affine(styled), w_style[:, styled.slot])
        if isinstance(styled.layer, ToRGBLayer) and self.config.rgb_gain == "twice":
            scale = scale * styled.layer.weight_gain
        return strength.blend(styled.part, scale)

    def _after(
        self, styled: StyledLayer, w_style: Tensor, strength: StyleStrength
    ) -> Callable[[Tensor], Tensor] | None:
        """Return what the residual block behind a layer does; None for nothing."""
        amount = strength.of(styled.part)
        if styled.residual is None or self.config.modres == "off" or amount == 0:
            return None
        if self.config.modres == "double":
            return partial(torch.mul, other=1 + amount)
        block, code = self.get_submodule(styled.residual), w_style[:, styled.slot]

        def with_branch(x: Tensor) -> Tensor:
            return x + block(x, code) * amount

        return with_branch

    @torch.no_grad()
    def folded(self, w_style: Tensor, strength: StyleStrength = FULL_STRENGTH) -> TriPlaneGenerator:
        """Return a plain generator all of whose heads wear a style: the fast path of one style.

        Doublings become gains of blocks, see `portrait.style_folding`: synthesis, portraits and
        their fast paths need not know of styles. At strength 0 every number is that of the
        unstyled generator.

        Args:
            w_style: Style code [1, num_ws, w_dim].
            strength: How much of the style.

        Raises:
            UserError: The code is not one style; or residual branches, which depend on the maps,
                cannot be folded.
        """
        if w_style.shape[0] != 1:
            raise UserError(f"a style is one code [1, k, d]: got {list(w_style.shape)}")
        if self.config.modres == "residual":
            raise UserError(
                "modres 'residual' has no folded form; use planes and render with edits"
            )
        self.check_codes(w_style)
        places = list(styled_layers(self))
        factors = {place.name: self._scale(place, w_style, strength)[0] for place in places}
        config = self.config.plain()
        if self.config.modres == "double":
            by_block = {
                place.residual.rpartition(".")[0]: 1 + strength.of(place.part)
                for place in places
                if place.residual is not None
            }
            of_backbone = [gain for name, gain in by_block.items() if name.startswith("backbone")]
            config = with_gains(config, of_backbone, by_block.get(_FIRST_OF_HEAD, 1.0))
        return fold_style(self, factors, config)


def style_affine(styled: StyledLayer) -> FullyConnectedLayer:
    """Return the affine map of a styled layer's style code."""
    affine = styled.layer.get_submodule("affine1")
    assert isinstance(affine, FullyConnectedLayer)
    return affine
