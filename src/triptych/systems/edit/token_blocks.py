"""SegFormer's parts: overlapping patches as tokens, and blocks that attend to a reduced map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.systems.edit.attention import attend


def as_tokens(feature_map: Tensor) -> Tensor:
    """Return a map [b, c, h, w] as tokens [b, h * w, c], row by row."""
    return feature_map.flatten(2).transpose(1, 2)


def as_map(tokens: Tensor, height: int, width: int) -> Tensor:
    """Return tokens [b, h * w, c] as a map [b, c, h, w], channel by channel in memory.

    Left as tokens lie, every convolution behind would run with its channels last, where oneDNN
    needs two to three times as long for gradients of weights.
    """
    return tokens.transpose(1, 2).unflatten(2, (height, width)).contiguous()


class OverlapPatchEmbedding(nn.Module):
    """A strided convolution whose outputs are normalised tokens.

    Args:
        num_in: Channels of the map.
        width: Width of a token.
        stride: How far patches of 7 x 7 pixels lie apart.
    """

    def __init__(self, num_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(num_in, width, 7, stride=stride, padding=3)
        self.norm = nn.LayerNorm(width)

    def forward(self, feature_map: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return tokens [b, h * w, width] of a map [b, c, H, W], and h and w."""
        patches = self.proj(feature_map)
        height, width = patches.shape[-2:]
        return self.norm(as_tokens(patches)), (height, width)


class SegFormerBlock(nn.Module):
    """Attention to a reduced map, then a perceptron with a depthwise convolution.

    Args:
        width: Width of a token.
        heads: Attention heads.
        mlp_ratio: Hidden width of the perceptron, in widths.
        reduction: Keys and values come from a map smaller by this factor.

    Reference:
        Xie et al., SegFormer (2021), section 3.1.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = _ReducedAttention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _MixPerceptron(width, mlp_ratio * width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Return tokens [b, h * w, width] of a map of size h, w."""
        tokens = tokens + self.attn(self.norm1(tokens), size)
        return tokens + self.mlp(self.norm2(tokens), size)


class _ReducedAttention(nn.Module):
    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, stride=reduction)
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        seen = tokens
        if self.reduction > 1:
            seen = self.norm(as_tokens(self.sr(as_map(tokens, *size))))
        keys, values = self.kv(seen).chunk(2, dim=-1)
        return self.proj(attend(self.q(tokens), keys, values, self.heads))


class _MixPerceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.dwconv = _DepthwiseConvolution(hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        return self.fc2(functional.gelu(self.dwconv(self.fc1(tokens), size)))


class _DepthwiseConvolution(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        return as_tokens(self.dwconv(as_map(tokens, *size)))


def upsample_twice(feature_map: Tensor) -> Tensor:
    """Double a map [b, c, h, w] bilinearly, with corners aligned."""
    return functional.interpolate(feature_map, scale_factor=2, mode="bilinear", align_corners=True)


def convolution(num_in: int, num_out: int, *, stride: int = 1, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution with a bias that keeps the size, divided by the stride."""
    return nn.Conv2d(num_in, num_out, kernel, stride=stride, padding=kernel // 2)


class Upsample(nn.Module):
    """`upsample_twice` as a part of a sequence."""

    def forward(self, feature_map: Tensor) -> Tensor:
        """Return [b, c, 2 h, 2 w] of [b, c, h, w]."""
        return upsample_twice(feature_map)


@torch.no_grad()
def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Fill a network's weights: convolutions by their outputs, linear layers with 0.02.

    Args:
        network: Its convolutions, linear layers and layer norms are filled.
        rng: Source of the numbers.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", generator=rng)
        elif isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02, generator=rng)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
