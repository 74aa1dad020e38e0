"""Inception v3 up to its pooled features, as in FID."""

from __future__ import annotations

from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from triptych.errors import UserError
from triptych.nn.inception_blocks import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
    Pooling,
)
from triptych.ops.resize import resize

INPUT_SIZE = 299
DIVISORS = (1, 2, 4, 8, 16)

InceptionVariant = Literal["fid", "torchvision"]
"""How the pooled branches pool. "fid" is the TensorFlow network of 2015 that FID is defined by:
averages leave out what lies beyond the border, and the last block takes maxima. "torchvision" is
the network as published: averages everywhere, with zeros beyond the border."""

_POOLING: dict[InceptionVariant, tuple[Pooling, Pooling]] = {
    "fid": ("average-inside", "maximum"),
    "torchvision": ("average", "average"),
}
"""Of all pooled branches but the last, and of the last."""


class InceptionFeatures(nn.Module):
    """Pictures to the 2,048 features before Inception v3's classifier.

    Parameter names are those of torchvision's Inception3 and of pytorch-fid's weight file.

    Args:
        variant: How the pooled branches pool; weights belong to one of the two.
        divisor: Divides all numbers of channels: 1 is the published network, 16 the smallest.

    Raises:
        UserError: The divisor is not among 1, 2, 4, 8, 16.

    Reference: Szegedy et al., Rethinking the Inception Architecture for Computer Vision (2016),
    Table 1; Heusel et al., GANs Trained by a Two Time-Scale Update Rule (2017), for FID.
    """

    def __init__(self, variant: InceptionVariant = "fid", *, divisor: int = 1) -> None:
        super().__init__()
        if divisor not in DIVISORS:
            raise UserError(f"divisor of Inception: got {divisor}; expected one of {DIVISORS}")
        pooling, last_pooling = _POOLING[variant]
        n32, n64, n80, n192 = (count // divisor for count in (32, 64, 80, 192))
        self.variant = variant
        self.Conv2d_1a_3x3 = BasicConv2d(3, n32, 3, stride=2, padding=0)
        self.Conv2d_2a_3x3 = BasicConv2d(n32, n32, 3, padding=0)
        self.Conv2d_2b_3x3 = BasicConv2d(n32, n64, 3)
        self.Conv2d_3b_1x1 = BasicConv2d(n64, n80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(n80, n192, 3, padding=0)
        fine = partial(InceptionA, pooling=pooling, divisor=divisor)
        middle = partial(InceptionC, pooling=pooling, divisor=divisor)
        self.Mixed_5b = fine(n192, 32)
        self.Mixed_5c = fine(self.Mixed_5b.channels, 64)
        self.Mixed_5d = fine(self.Mixed_5c.channels, 64)
        self.Mixed_6a = InceptionB(self.Mixed_5d.channels, divisor=divisor)
        self.Mixed_6b = middle(self.Mixed_6a.channels, 128)
        self.Mixed_6c = middle(self.Mixed_6b.channels, 160)
        self.Mixed_6d = middle(self.Mixed_6c.channels, 160)
        self.Mixed_6e = middle(self.Mixed_6d.channels, 192)
        self.Mixed_7a = InceptionD(self.Mixed_6e.channels, divisor=divisor)
        self.Mixed_7b = InceptionE(self.Mixed_7a.channels, pooling=pooling, divisor=divisor)
        self.Mixed_7c = InceptionE(self.Mixed_7b.channels, pooling=last_pooling, divisor=divisor)
        self.num_features = self.Mixed_7c.channels

    def forward(self, image: Tensor) -> Tensor:
        """Return features [b, num_features] of pictures [b, 3, h, w] in [-1, 1].

        Pictures of other sizes are brought to 299 x 299, bilinearly and without a filter, which is
        what FID is stated with.
        """
        x = resize(image, INPUT_SIZE, filter_mode="none")
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))
