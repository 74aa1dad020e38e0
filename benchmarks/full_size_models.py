"""The networks of FF3D at their published sizes, with random weights: nothing is downloaded.

The image editor has the public configuration of InstructPix2Pix: Stable Diffusion 1.5's UNet with
eight input channels, its autoencoder and CLIP ViT-L/14's text encoder.
"""

from __future__ import annotations

import string
from typing import Any

import torch
from torch import nn

from triptych.editors.image_editor import EditorConfig
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.metrics.lpips import LpipsDistance
from triptych.models.eg3d import TriPlaneGenerator, ffhq512_128_config
from triptych.systems.stylize.image_to_triplane import ImageToTriplane, official_config

CLIP_VOCABULARY = 49408
UNET = {
    "sample_size": 64,
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
AUTOENCODER = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
    "scaling_factor": 0.18215,
}
TEXT_ENCODER = {
    "vocab_size": CLIP_VOCABULARY,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
}
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
_DENSITY_SHIFT = 4.0
"""Random decoders leave space all but empty; with this their fog is thick enough to be seen."""


def random_generator() -> TriPlaneGenerator:
    """Return EG3D's ffhq512-128."""
    generator = TriPlaneGenerator(ffhq512_128_config(), rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.decoder.net[2].bias[0] += _DENSITY_SHIFT
    return generator.eval().requires_grad_(False)


def random_image_to_triplane(generator: TriPlaneGenerator) -> ImageToTriplane:
    """Return FF3D's H for EG3D's planes, whitened by the planes of one random head."""
    with torch.no_grad():
        z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(1))
        planes = generator.planes(generator.mapping(z))[0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = ImageToTriplane(official_config())
    network.set_plane_statistics(planes, planes.std((2, 3), keepdim=True))
    return network.eval()


def random_perceptual() -> LpipsDistance:
    """Return LPIPS over VGG16, every channel weighted alike."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        distance = LpipsDistance("vgg16")
    for name, weights in distance.named_buffers():
        if name.startswith("lin"):
            weights.fill_(1 / len(weights))
    return distance


def random_editor(config: EditorConfig) -> InstructPix2PixEditor:
    """Return InstructPix2Pix, the UNet in bfloat16 as the official one is kept."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        unet = _in_bfloat16(UNet2DConditionModel, UNET)
        autoencoder = AutoencoderKL(**AUTOENCODER)
        text_encoder = _text_encoder()
    return InstructPix2PixEditor(
        unet=unet.requires_grad_(False),
        vae=autoencoder.requires_grad_(False),
        text_encoder=text_encoder.requires_grad_(False),
        tokenizer=_tokenizer(),
        scheduler=DDIMScheduler(**SCHEDULE),
        config=config,
        name="instruct-pix2pix of random weights",
    )


def _in_bfloat16(kind: Any, sizes: dict[str, Any]) -> nn.Module:
    """Build a network in bfloat16 from the start: float32 would need twice the memory at first."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        return kind(**sizes)
    finally:
        torch.set_default_dtype(usual)


def _text_encoder() -> nn.Module:
    from transformers import CLIPTextConfig, CLIPTextModel

    end = CLIP_VOCABULARY - 1
    ids = {"bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    return CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER, **ids))


def _tokenizer() -> Any:
    """Return CLIP's tokenizer with CLIP's number of tokens, of which only letters are words.

    Every text is padded to 77 tokens, so its pieces do not change what an edit costs.
    """
    from transformers import CLIPTokenizer

    letters = string.ascii_lowercase + string.digits + ",.'-!?"
    pieces = [piece for letter in letters for piece in (letter, f"{letter}</w>")]
    pieces += [f"unused{index}" for index in range(CLIP_VOCABULARY - 2 - len(pieces))]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
