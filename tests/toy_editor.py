"""A tiny InstructPix2Pix of random weights, in every component the real one's class."""

from __future__ import annotations

from types import SimpleNamespace

import torch


def tiny_editor_parts() -> SimpleNamespace:
    """Return random components: latents of a quarter of a picture's side, words in letters."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=8,
            out_channels=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            norm_num_groups=8,
            attention_head_dim=(2, 2),
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            norm_num_groups=4,
            latent_channels=4,
            scaling_factor=0.7,
        )
        letters = "abcdefghijklmnopqrstuvwxyz0123456789,-'."
        pieces = [piece for letter in letters for piece in (letter, f"{letter}</w>")]
        vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1}
        vocabulary |= {piece: 2 + i for i, piece in enumerate(pieces)}
        tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=96)
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(vocabulary),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=96,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    return SimpleNamespace(
        unet=unet.eval(),
        vae=vae.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        scheduler=scheduler,
    )
