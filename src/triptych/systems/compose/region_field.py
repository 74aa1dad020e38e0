"""The field of a portrait of regions: regions add up to one surface, masks share out its colour."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from triptych.camera import Camera
from triptych.fields.base import FieldSample, GeometryKind
from triptych.systems.compose.generator_config import RegionGeneratorConfig
from triptych.systems.compose.region_network import RegionValues
from triptych.systems.compose.region_networks import RegionNetworks, region_codes

_AHEAD = (0.0, 0.0, -1.0)


@dataclass(frozen=True, eq=False)
class RegionField:
    """A volume in which every region has a part of the distance, a mask, a colour and features.

    At a point, with mask m, colour c, features f and distance s of each region:

    - distance: the initial shape's plus the sum of all s, in world units; masks do not gate it
    - colour: sigmoid(sum of m * c)
    - features: sum of m * f
    - regions: m; with softmax membership, softmax(m), which then also takes the place of m above

    Attributes:
        networks: The region networks.
        codes: Codes [b, 2 * regions, d]: shape and texture of each region in turn.
        config: Sizes and quirks.
        camera: Whose frame static directions are in; None for directions straight ahead.
        with_features: Return features behind the colour.
        shown: Regions whose features are summed; None for all. The published `--semantics`: it
            changes nothing but the features.
        only: Regions that the volume is cut down to; None for all. See `_cut`.
    """

    networks: RegionNetworks
    codes: Tensor
    config: RegionGeneratorConfig
    camera: Camera | None = None
    with_features: bool = False
    shown: tuple[int, ...] | None = None
    only: tuple[int, ...] | None = None

    @property
    def geometry_kind(self) -> GeometryKind:
        """Signed distances."""
        return "sdf"

    @property
    def box_size(self) -> float:
        """Side of the cube that holds the volume."""
        return 2 * self.config.half_box

    def seen_from(self, camera: Camera) -> RegionField:
        """Return the field for rays of v cameras, whose points come as [v, n, 3]."""
        return replace(self, camera=camera)

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        """Return distance, colour and features, and masks at world points [b, n, 3]."""
        inside = points.to(self.codes.device) / self.config.half_box
        towards = self.seen_directions(inside, directions)
        values = [
            network(inside, towards, *region_codes(self.codes, index))
            for index, network in enumerate(self.networks.networks())
        ]
        with torch.no_grad():  # published: nothing is learned through the initial shape
            sdf = self.networks.initial_sdf(inside, self.codes)
        sdf = (sdf + torch.stack([value.sdf for value in values]).sum(dim=0)) * self._unit
        shares = self._shares(torch.cat([value.mask for value in values], dim=-1))
        features = [torch.sigmoid(_masked_sum([value.rgb for value in values], shares))]
        if self.with_features:
            features.append(self._shown_features(values, shares))
        return FieldSample(self._cut(sdf, shares), torch.cat(features, dim=-1), shares)

    def geometry(self, points: Tensor) -> Tensor:
        """Return the distance [b, n, 1] alone; cheaper than `query`."""
        if self.only is not None:
            return self.query(points).geometry
        inside = points.to(self.codes.device) / self.config.half_box
        residual = self.networks.residual_sdf(inside, self.codes)
        return (self.networks.initial_sdf(inside, self.codes) + residual) * self._unit

    def residual_geometry(self, points: Tensor) -> Tensor:
        """Return the distance [b, n, 1] without the initial shape: what the eikonal term sees."""
        return self.networks.residual_sdf(points / self.config.half_box, self.codes) * self._unit

    @property
    def _unit(self) -> float:
        """One published unit, the distance of the camera, in world units."""
        return self.config.view.radius

    def _shares(self, masks: Tensor) -> Tensor:
        return masks.softmax(dim=-1) if self.config.membership == "softmax" else masks

    def _shown_features(self, values: list[RegionValues], shares: Tensor) -> Tensor:
        shown = range(len(values)) if self.shown is None else self.shown
        return _masked_sum([values[i].features for i in shown], shares[..., list(shown)])

    def _cut(self, sdf: Tensor, shares: Tensor) -> Tensor:
        """Intersect the solid with the place where the regions in `only` are the larger part.

        That place is where their share passes one half; beyond it the distance grows to the half
        box, which leaves nothing opaque.
        """
        if self.only is None:
            return sdf
        share = shares[..., list(self.only)].sum(dim=-1, keepdim=True).clamp(0, 1)
        return torch.maximum(sdf, (0.5 - share) * 2 * self.config.half_box)

    def seen_directions(self, points: Tensor, directions: Tensor | None) -> Tensor:
        """Return the directions that the networks see [b, n, 3]."""
        if directions is not None and self.config.sampling.directions == "real":
            return directions
        unseen = self.config.sampling.directions == "none"
        if directions is None or self.camera is None or unseen:
            return points.new_tensor(_AHEAD).expand_as(points)
        local = directions @ self.camera.cam2world[:, :3, :3]
        return local * local.new_tensor([1.0, -1.0, -1.0])  # published: y up, looking along -z


def _masked_sum(values: list[Tensor], masks: Tensor) -> Tensor:
    """Return the sum [b, n, c] over regions of values [b, n, c] times masks [b, n, regions]."""
    total = values[0] * masks[..., :1]
    for index, value in enumerate(values[1:], start=1):
        total = total + value * masks[..., index : index + 1]
    return total
