"""A style as a file: factors of a generator's channels that re-style every head it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from triptych.arguments import checked
from triptych.config import check_fields, from_dict, to_dict
from triptych.errors import UserError, check_range, shown
from triptych.fields.recoloured_decoder import ColourChange
from triptych.models.eg3d import TriPlaneGenerator
from triptych.models.style_strength import FULL_STRENGTH, StyleStrength
from triptych.models.styled_layers import StyledLayer, styled_layers
from triptych.nn.synthesis_layers import Edits, LayerEdit
from triptych.portrait.style_folding import fold_style
from triptych.weights.safetensors_file import (
    FileHeader,
    content_hash,
    load_tensors,
    save_tensors,
)
from triptych.weights.tensor_range import check_values

_FACTORS, _SHIFTS, _COLOURS, _PREVIEWS = "factors.", "shifts.", "colours.", "previews"
_COLOUR_DIMENSIONS = {"hidden_weight": 2, "hidden_bias": 1, "weight": 2, "bias": 1}
_LONGEST_NAME = 200
_MOST_PREVIEWS, _LARGEST_PREVIEW = 64, 512


@dataclass(frozen=True)
class StyledModel:
    """The generator that a style was learned on: its factors mean nothing to another one.

    Attributes:
        name: As in the registry, or of its file.
        sha256: Hash of its file; empty where it came from none.
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        check_fields(self)
        for what in ("name", "sha256"):
            text = getattr(self, what)
            if len(text) > _LONGEST_NAME or not text.isprintable():
                raise UserError(f"StyledModel.{what}: got {shown(text)}; expected a short text")


@dataclass(frozen=True, eq=False)
class StylePack:
    """Factors s_d that a style multiplies into the styles of a generator's layers.

    PStyle-3D computes them as affine1(w_style), one affine map per layer. For one style they are
    one number per channel, which is all that a head needs: a few thousand numbers. Shifts of the
    layers' biases and the change of the decoder's colours are ours: they hold what a style has
    whatever the head is like, such as a material, without a change of shapes.

    Attributes:
        model: The generator that they belong to.
        factors: Factors [i] of each styled layer's input channels, by the layer's name.
        shifts: Shifts [o] of layers' biases, by the layer's name; layers may be missing.
        previews: Small pictures [n, h, w, 3] of heads in the style, uint8; n may be 0.
        licence: Terms of the artworks, as their user states them.
        provenance: How the style was made, as JSON values.
        colours: Change of the decoder's colours; None for none.
    """

    model: StyledModel
    factors: Mapping[str, Tensor]
    shifts: Mapping[str, Tensor] = dataclass_field(default_factory=dict)
    previews: Tensor = dataclass_field(
        default_factory=lambda: torch.zeros(0, 1, 1, 3, dtype=torch.uint8)
    )
    licence: str = "not stated"
    provenance: dict[str, Any] = dataclass_field(default_factory=dict)
    colours: ColourChange | None = None

    @checked
    def folded(
        self,
        generator: TriPlaneGenerator,
        model: StyledModel,
        strength: StyleStrength = FULL_STRENGTH,
    ) -> TriPlaneGenerator:
        """Return the generator all of whose heads wear the style; see `fold_style`.

        Args:
            generator: The generator that the style was learned on.
            model: Its name and hash.
            strength: How much of the style; at 0 heads are untouched, bit for bit.

        Raises:
            UserError: The style belongs to another generator.
        """
        factors, shifts = {}, {}
        for place, factor, shift in self._fitting(generator, model):
            factors[place.name] = strength.blend(place.part, factor)
            if shift is not None:
                shifts[place.name] = strength.of(place.part) * shift
        amount, colours = strength.of("appearance"), self.colours
        if colours is not None:
            _check_colours(colours, generator, model)
            colours = colours.to(next(generator.parameters()).device).scaled(amount)
        return fold_style(generator, factors, generator.config, shifts, colours if amount else None)

    def edits(self, generator: TriPlaneGenerator, model: StyledModel) -> Edits:
        """Return the style as edits of a generator's layers, with gradients; see `folded`.

        The change of the decoder's colours is no edit of a layer and is left out.
        """
        return {
            place.layer: LayerEdit(factor[None], shift)
            for place, factor, shift in self._fitting(generator, model)
        }

    def check_model(self, model: StyledModel) -> None:
        """Raise UserError unless the style was made for a generator."""
        if model.sha256 != self.model.sha256:
            made_for, got = (
                f"{shown(one.name)} ({one.sha256[:12] or 'from no file'})"
                for one in (self.model, model)
            )
            raise UserError(
                f"the style was made for the generator {made_for}: got {got}; use the one it was "
                "made for, or make the style again"
            )

    def _fitting(
        self, generator: TriPlaneGenerator, model: StyledModel
    ) -> list[tuple[StyledLayer, Tensor, Tensor | None]]:
        self.check_model(model)
        places = list(styled_layers(generator))
        widths = {place.name: place.layer.affine.weight.shape[0] for place in places}
        outputs = {place.name: place.layer.bias.shape[0] for place in places}
        own = {name: len(factor) for name, factor in self.factors.items()}
        shifted = {name: len(shift) for name, shift in self.shifts.items()}
        if widths != own or not shifted.items() <= outputs.items():
            raise UserError(
                f"the style has factors of {len(own)} layers, which are not those of the generator "
                f"{shown(model.name)}; make the style again"
            )
        device = next(generator.parameters()).device
        shifts = {name: shift.to(device) for name, shift in self.shifts.items()}
        return [
            (place, self.factors[place.name].to(device), shifts.get(place.name)) for place in places
        ]

    def record(self) -> dict[str, Any]:
        """Return what identifies the style, for the provenance of a portrait that wears it."""
        return {
            "sha256": content_hash(self._numbers()),
            "licence": self.licence,
            "provenance": self.provenance,
        }

    @checked
    def save(self, path: str | Path) -> None:
        """Write the pack, atomically.

        Raises:
            UserError: The file cannot be written.
        """
        header = FileHeader(
            class_name=type(self).__name__,
            config=to_dict(self.model),
            licence=self.licence,
            provenance=self.provenance,
        )
        save_tensors(path, {**self._numbers(), _PREVIEWS: self.previews}, header)

    def _numbers(self) -> dict[str, Tensor]:
        factors = {f"{_FACTORS}{name}": factor for name, factor in self.factors.items()}
        shifts = {f"{_SHIFTS}{name}": shift for name, shift in self.shifts.items()}
        colours = {} if self.colours is None else self.colours.parts()
        return factors | shifts | {f"{_COLOURS}{name}": part for name, part in colours.items()}

    @classmethod
    @checked
    def load(cls, path: str | Path) -> StylePack:
        """Read a pack.

        Raises:
            UserError: The file is absent, broken, damaged, or no style pack.
        """
        tensors, header = load_tensors(path, cls.__name__)
        try:
            model = from_dict(StyledModel, header.config)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        check_values(tensors, str(path))
        previews = tensors.pop(_PREVIEWS, None)
        if previews is None or not _are_pictures(previews):
            raise UserError(f"{path}: its previews are no small pictures; get the file again")
        colours = {
            name.removeprefix(_COLOURS): tensors.pop(name)
            for name in [name for name in tensors if name.startswith(_COLOURS)]
        }
        if colours and not _are_colours(colours):
            raise UserError(f"{path}: its change of colours is none of a decoder; get it again")
        wrong = [
            name
            for name, tensor in tensors.items()
            if not name.startswith((_FACTORS, _SHIFTS))
            or tensor.ndim != 1
            or tensor.dtype != torch.float32
        ]
        if wrong or not tensors:
            raise UserError(
                f"{path}: {shown(wrong[0]) if wrong else 'nothing'} is no factor or shift of a "
                "layer; expected one number per channel of each"
            )
        factors, shifts = (
            {name.removeprefix(kind): t for name, t in tensors.items() if name.startswith(kind)}
            for kind in (_FACTORS, _SHIFTS)
        )
        return cls(
            model,
            factors,
            shifts,
            previews,
            header.licence,
            header.provenance,
            ColourChange(**colours) if colours else None,
        )


@checked
def mixed(packs: Sequence[tuple[StylePack, float]]) -> StylePack:
    """Mix styles: each moves every factor away from 1, and every bias, by its weight.

    Args:
        packs: Styles of one generator with their weights, 0 to 2; weights that add up to 1 keep
            the strength.

    Raises:
        UserError: There is none, a weight is out of range, or they belong to two generators.
    """
    if not packs:
        raise UserError("styles to mix: got none; expected at least one")
    first = packs[0][0]
    for pack, weight in packs:
        check_range("weight of a style", weight, 0.0, 2.0)
        if pack.model.sha256 != first.model.sha256 or pack.factors.keys() != first.factors.keys():
            raise UserError(
                f"styles of two generators cannot be mixed: {shown(first.model.name)} and "
                f"{shown(pack.model.name)}"
            )
    factors = {
        name: 1
        + sum((weight * (pack.factors[name] - 1) for pack, weight in packs), torch.zeros(()))
        for name in first.factors
    }
    shifts: dict[str, Tensor] = {}
    for pack, weight in packs:
        for name, shift in pack.shifts.items():
            shifts[name] = weight * shift + shifts.get(name, torch.zeros(()))
    colours: ColourChange | None = None
    for pack, weight in packs:
        if pack.colours is not None:
            part = pack.colours.scaled(weight)
            colours = part if colours is None else colours.plus(part)
    licences = "; ".join(dict.fromkeys(pack.licence for pack, _ in packs))
    record = {"mixed": [{"weight": weight, **pack.provenance} for pack, weight in packs]}
    return StylePack(
        first.model, factors, shifts, licence=licences, provenance=record, colours=colours
    )


def _are_colours(parts: Mapping[str, Tensor]) -> bool:
    dimensions = {name: part.ndim for name, part in parts.items()}
    return dimensions == _COLOUR_DIMENSIONS and all(
        part.dtype == torch.float32 for part in parts.values()
    )


def _check_colours(colours: ColourChange, generator: TriPlaneGenerator, model: StyledModel) -> None:
    own = {name: tuple(part.shape) for name, part in colours.parts().items()}
    if own != ColourChange.shapes(generator.decoder):
        raise UserError(
            f"the style's change of colours is not of the decoder of {shown(model.name)}; make the "
            "style again"
        )


def _are_pictures(tensor: Tensor) -> bool:
    sizes = tensor.shape
    return (
        tensor.ndim == 4
        and tensor.dtype == torch.uint8
        and sizes[0] <= _MOST_PREVIEWS
        and sizes[3] == 3
        and max(sizes[1:3]) <= _LARGEST_PREVIEW
    )
