"""The prompt branch: a reference picture becomes tokens, to which the photo attends."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from triptych.errors import UserError
from triptych.systems.edit.attention import attend
from triptych.systems.edit.encoder_config import PromptBranchConfig
from triptych.systems.edit.token_blocks import (
    OverlapPatchEmbedding,
    as_map,
    as_tokens,
    convolution,
)

_EPSILON = 1e-6
_LONGEST_WAVE = 10000.0


class PromptBranch(nn.Module):
    """Tokens of a reference, queries of the photo, and high features made of the tokens.

    Args:
        config: Sizes of the branch.
        channels: Channels of the photo's high features, in and out.

    Reference:
        Bai et al., 3DPE (2024), section 3.2.
    """

    def __init__(self, config: PromptBranchConfig, channels: int) -> None:
        super().__init__()
        width = config.width
        self.mae_encoder = ReferenceEncoder(config)
        self.pre_conv = convolution(channels, config.query_channels)
        self.patch_emb = OverlapPatchEmbedding(config.query_channels, width, stride=4)
        self.proj_tail = nn.Conv2d(width // 4, 4 * channels, 1, bias=False)

    def queries(self, high: Tensor) -> Tensor:
        """Return queries as a map [b, width, h / 4, w / 4] of high features [b, c, h, w]."""
        tokens, size = self.patch_emb(self.pre_conv(high))
        return as_map(tokens, *size)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Return high features [b, c, h, w] in which the photo is made of the prompt.

        Args:
            queries: See `queries`.
            tokens: Tokens [b, k, width] of a prompt; their number and order are free.
        """
        weights = attention_weights(as_tokens(queries), tokens)
        found = as_map(weights @ tokens, *queries.shape[-2:])
        return functional.pixel_shuffle(self.proj_tail(functional.pixel_shuffle(found, 2)), 2)


def attention_weights(queries: Tensor, tokens: Tensor) -> Tensor:
    """Return how much each query [b, n, d] takes of each token [b, k, d], as [b, n, k]."""
    return torch.softmax(queries @ tokens.transpose(1, 2) * tokens.shape[-1] ** -0.5, dim=-1)


class ReferenceEncoder(nn.Module):
    """A vision transformer that sees every patch of the reference.

    Reference:
        He et al., Masked Autoencoders (2022); 3DPE masks nothing.
    """

    pos_embed: Tensor

    def __init__(self, config: PromptBranchConfig) -> None:
        super().__init__()
        self.image_size, width = config.image_size, config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("pos_embed", sine_positions(config.grid_size, width)[None])
        self.patch_embed = _PatchProjection(config.patch_size, width)
        self.blocks = nn.ModuleList(
            _TransformerBlock(width, config.heads, config.mlp_ratio) for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, reference: Tensor) -> Tensor:
        """Return tokens [b, 1 + patches, width], the class token first.

        Args:
            reference: Normalised pictures [b, 3, s, s]; see `preprocessing.reference_input`.
        """
        size = self.image_size
        if reference.shape[1:] != (3, size, size):
            raise UserError(
                f"reference: got {list(reference.shape)}; expected [b, 3, {size}, {size}]"
            )
        patches = self.patch_embed(reference.to(self.cls_token)) + self.pos_embed[:, 1:]
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(patches), -1, -1)
        tokens = torch.cat([first, patches], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


class _PatchProjection(nn.Module):
    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_size, stride=patch_size)

    def forward(self, picture: Tensor) -> Tensor:
        return as_tokens(self.proj(picture))


class _TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = _SelfAttention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = _Perceptron(width, mlp_ratio * width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        queries, keys, values = self.qkv(tokens).chunk(3, dim=-1)
        return self.proj(attend(queries, keys, values, self.heads))


class _Perceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


def sine_positions(grid_size: int, width: int) -> Tensor:
    """Return position codes [1 + grid_size ** 2, width]: a row of zeros, then patches row by row.

    The column of a patch fills the first half of its code and the row the second; each half holds
    sines, then cosines, of wavelengths from 2 pi to 10000 * 2 pi.
    """
    quarter = width // 4
    exponents = torch.arange(quarter, dtype=torch.float64) / quarter
    angles = torch.arange(grid_size)[:, None] * _LONGEST_WAVE**-exponents
    along = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = along.repeat(grid_size, 1), along.repeat_interleave(grid_size, dim=0)
    codes = torch.cat([columns, rows], dim=1)
    return torch.cat([codes.new_zeros(1, 4 * quarter), codes]).float()
