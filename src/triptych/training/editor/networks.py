"""The embedded image editor's networks: a small InstructPix2Pix made of diffusers' own classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

BEGIN_TOKEN, END_TOKEN = 0, 1


@dataclass(frozen=True)
class EditorNetworksConfig:
    """Sizes of the embedded editor.

    Attributes:
        image_size: Pictures are square with this many pixels a side; latents have a quarter of it.
        latent_channels: Channels of a latent; the UNet reads twice as many (noisy and source).
        vae_width: Channels of all three stages of the autoencoder, at least 48.
        vae_blocks: Residual blocks of the encoder's stages, finest first; the decoder mirrors them.
        unet_channels: Channels of the UNet's stages, finest first; the first has no attention.
        unet_layers: Residual blocks per stage.
        unet_head_width: Channels per attention head.
        unet_norm_groups: Groups of the group normalisations.
        text_width: Width of the text encoder and of the UNet's cross attention.
        text_layers: Transformer layers of the text encoder.
        text_heads: Attention heads of the text encoder.
        max_prompt_tokens: Longest prompt in tokens, begin and end included.
    """

    image_size: int = 128
    latent_channels: int = 4
    vae_width: int = 48
    vae_blocks: tuple[int, int, int] = (1, 2, 3)
    unet_channels: tuple[int, ...] = (96, 192, 256)
    unet_layers: int = 1
    unet_head_width: int = 32
    unet_norm_groups: int = 16
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    max_prompt_tokens: int = 40

    @property
    def latent_size(self) -> int:
        """Side of a latent."""
        return self.image_size // 4


def build_vae(config: EditorNetworksConfig) -> nn.Module:
    """Return an untrained AutoencoderTiny: [b,3,h,w] <-> [b,latent_channels,h/4,w/4]."""
    from diffusers import AutoencoderTiny

    # AutoencoderTiny needs equal widths in all stages: others build and then fail in forward.
    widths = (config.vae_width,) * len(config.vae_blocks)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=config.vae_blocks,
        num_decoder_blocks=config.vae_blocks[::-1],
        latent_channels=config.latent_channels,
        scaling_factor=1.0,
    )


def build_unet(config: EditorNetworksConfig) -> nn.Module:
    """Return an untrained UNet that predicts the velocity of a noisy latent beside its source."""
    from diffusers import UNet2DConditionModel

    attended = len(config.unet_channels) - 1
    return UNet2DConditionModel(
        sample_size=config.latent_size,
        in_channels=2 * config.latent_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.unet_channels,
        layers_per_block=config.unet_layers,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * attended,
        up_block_types=("CrossAttnUpBlock2D",) * attended + ("UpBlock2D",),
        cross_attention_dim=config.text_width,
        norm_num_groups=config.unet_norm_groups,
        # Despite its name this is the number of heads in this class.
        attention_head_dim=tuple(max(1, c // config.unet_head_width) for c in config.unet_channels),
    )


def build_text_encoder(config: EditorNetworksConfig, vocabulary_size: int) -> nn.Module:
    """Return an untrained CLIP-format text encoder, small enough to be trained with the UNet."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary_size,
            hidden_size=config.text_width,
            intermediate_size=4 * config.text_width,
            num_hidden_layers=config.text_layers,
            num_attention_heads=config.text_heads,
            max_position_embeddings=config.max_prompt_tokens,
            bos_token_id=BEGIN_TOKEN,
            eos_token_id=END_TOKEN,
            pad_token_id=END_TOKEN,
        )
    )


def build_scheduler() -> Any:
    """Return the noise schedule: Stable Diffusion's, stretched to end in pure noise.

    Zero terminal signal, velocity prediction and trailing steps belong together: without them a
    small model cannot change the mean colour of a picture.

    Reference: Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed (2024).
    """
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )
