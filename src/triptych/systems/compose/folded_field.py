"""The field of regions by folded networks: what `RegionField` returns, several times faster."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from triptych.fields.base import FieldSample
from triptych.systems.compose.folded_regions import FoldedNetworks, TrunkMemory
from triptych.systems.compose.region_field import RegionField
from triptych.systems.compose.region_network import RegionTrunk
from triptych.systems.compose.region_networks import region_codes

_VALUES_AT_ONCE = 2**19
"""Values of a layer of all networks that stay in the processor's caches: 2 MB."""


@dataclass(frozen=True, eq=False)
class RegionSamples:
    """What the regions say of m points, before features are made.

    Attributes:
        distance: Signed distance [m], world units.
        colours: [m, 3] in [0, 1].
        shares: Share of each region [m, k].
        texture: Trunk features of each region [k, m, h], which the head of the features reads;
            None without features.
    """

    distance: Tensor
    colours: Tensor
    shares: Tensor
    texture: Tensor | None


@dataclass(frozen=True, eq=False)
class FoldedRegionField(RegionField):
    """A `RegionField` whose networks are folded; equal up to rounding.

    Make it by `of`. Its gradients reach networks and codes; they do not reach points.

    Attributes:
        folded: The networks of the regions.
        first_shape: The network of the initial shape.
    """

    folded: FoldedNetworks | None = None
    first_shape: FoldedNetworks | None = None

    @classmethod
    def of(cls, field: RegionField) -> FoldedRegionField:
        """Fold a field's codes into its networks."""
        networks = field.networks.networks()
        pairs = [region_codes(field.codes, index) for index in range(len(networks))]
        values = {item.name: getattr(field, item.name) for item in fields(RegionField)}
        with torch.no_grad():  # as published: nothing is learned through the initial shape
            first = FoldedNetworks.of([field.networks.init_network], pairs[:1])
        return cls(**values, folded=FoldedNetworks.of(networks, pairs), first_shape=first)

    def narrowed(self, dtype: torch.dtype) -> FoldedRegionField:
        """Return the field with the products of its networks in a dtype."""
        assert self.folded is not None
        assert self.first_shape is not None
        first_shape = self.first_shape.narrowed(dtype)
        return replace(self, folded=self.folded.narrowed(dtype), first_shape=first_shape)

    def query(self, points: Tensor, directions: Tensor | None = None) -> FieldSample:
        """Return distance, colour and features, and masks at world points [b, n, 3]."""
        if torch.is_grad_enabled():
            return self._sample(points, directions, None)
        at_once, memory = self._memory()
        parts = [
            slice(start, start + at_once) for start in range(0, max(1, points.shape[1]), at_once)
        ]
        towards = [None if directions is None else directions[:, part] for part in parts]
        pieces = [
            self._sample(points[:, part], some, memory)
            for part, some in zip(parts, towards, strict=True)
        ]
        return FieldSample(
            torch.cat([piece.geometry for piece in pieces], dim=1),
            torch.cat([piece.features for piece in pieces], dim=1),
            torch.cat([piece.regions for piece in pieces if piece.regions is not None], dim=1),
        )

    def _sample(
        self, points: Tensor, directions: Tensor | None, memory: TrunkMemory | None
    ) -> FieldSample:
        assert self.folded is not None
        trunk, distance, colours, shares = self._answers(points, directions, memory)
        features = [colours]
        if self.with_features:
            towards = self.seen_directions(points.to(self.codes.device), directions)
            of_regions = self.folded.features(trunk.texture, towards)
            by_region = self._of_shown(shares).permute(2, 0, 1)[..., None]
            features.append((of_regions * by_region).sum(dim=0))
        return FieldSample(distance, torch.cat(features, dim=-1), shares)

    @torch.no_grad()
    def samples(self, points: Tensor, directions: Tensor) -> RegionSamples:
        """Return what the regions say of world points [m, 3], seen in directions [m, 3].

        Args:
            points: Where.
            directions: Unit viewing directions.
        """
        pieces, (at_once, memory) = [], self._memory()
        for some, towards in zip(points.split(at_once), directions.split(at_once), strict=True):
            trunk, distance, colours, shares = self._answers(some[None], towards[None], memory)
            texture = trunk.texture.clone() if self.with_features else None
            pieces.append(RegionSamples(distance[0, :, 0], colours[0], shares[0], texture))
        textures = [piece.texture for piece in pieces if piece.texture is not None]
        return RegionSamples(
            torch.cat([piece.distance for piece in pieces]),
            torch.cat([piece.colours for piece in pieces]),
            torch.cat([piece.shares for piece in pieces]),
            torch.cat(textures, dim=1) if textures else None,
        )

    def features_of(self, texture: Tensor, shares: Tensor, directions: Tensor) -> Tensor:
        """Return features [r, h] of what rays gathered; the head is linear, so it comes last.

        Args:
            texture: Sums of trunk features times weight times share [k, r, h].
            shares: Sums of weight times share [r, k].
            directions: Unit viewing directions [r, 3].
        """
        assert self.folded is not None
        head, shares = self.folded.features, self._of_shown(shares).T[..., None]
        if self.shown is not None:
            texture = texture * (shares != 0)
        towards = self.seen_directions(directions[None], directions[None])[0]
        width = texture.shape[-1]
        of_texture = torch.bmm(texture, head.weight[..., :width].transpose(1, 2))
        of_direction = towards @ head.weight[..., width:].transpose(1, 2) + head.bias[:, None]
        return (of_texture + shares * of_direction).sum(dim=0)

    def _answers(
        self, points: Tensor, directions: Tensor | None, memory: TrunkMemory | None = None
    ) -> tuple[RegionTrunk, Tensor, Tensor, Tensor]:
        """Return trunk [k * b, n, h], distance, colours and shares [b, n, ...]."""
        assert self.folded is not None
        folded, inside = self.folded, self._inside(points)
        towards = self.seen_directions(inside, directions)
        initial = self._initial(inside, memory)
        trunk = folded.trunk(inside, memory)
        masks = folded.mask(trunk.shape, towards)[..., 0]
        shares = self._shares(masks.permute(1, 2, 0))
        by_region = shares.permute(2, 0, 1)[..., None]
        colours = torch.sigmoid((folded.rgb(trunk.texture, towards) * by_region).sum(dim=0))
        sdf = (initial + folded.distance(trunk)) * self._unit
        return trunk, self._cut(sdf, shares), colours, shares

    def _of_shown(self, shares: Tensor) -> Tensor:
        """Return shares [..., k], zero of regions whose features are not shown."""
        if self.shown is None:
            return shares
        kept = shares.new_zeros(shares.shape[-1])
        kept[list(self.shown)] = 1
        return shares * kept

    def geometry(self, points: Tensor) -> Tensor:
        """Return the distance [b, n, 1] alone; cheaper than `query`."""
        if self.only is not None:
            return self.query(points).geometry
        if torch.is_grad_enabled():
            return self._distance(points, None)
        at_once, memory = self._memory()
        return torch.cat([self._distance(some, memory) for some in points.split(at_once, 1)], 1)

    def _distance(self, points: Tensor, memory: TrunkMemory | None) -> Tensor:
        assert self.folded is not None
        inside = self._inside(points)
        initial = self._initial(inside, memory)
        residual = self.folded.distance(self.folded.trunk(inside, memory))
        return (initial + residual) * self._unit

    def _memory(self) -> tuple[int, TrunkMemory]:
        """Return how many points of each portrait are asked at once, and memory for them."""
        assert self.folded is not None
        batch, layer = len(self.codes), self.folded.shape_layers[0].bias
        at_once = max(1, _VALUES_AT_ONCE // layer.numel())
        return at_once, self.folded.memory(at_once * batch)

    def _inside(self, points: Tensor) -> Tensor:
        return points.to(self.codes.device) / self.config.half_box

    @torch.no_grad()
    def _initial(self, inside: Tensor, memory: TrunkMemory | None) -> Tensor:
        assert self.first_shape is not None
        return self.first_shape.distance(self.first_shape.trunk(inside, memory))
