"""Which published system a checkpoint belongs to, by the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Clues:
    """What can be seen of a checkpoint without building anything.

    Attributes:
        shapes: Shapes of all tensors by name, without the section of the file.
    """

    shapes: Mapping[str, tuple[int, ...]]

    def any(self, pattern: str) -> bool:
        """Return whether a tensor's name begins as a regular expression says."""
        expression = re.compile(pattern)
        return any(expression.match(name) for name in self.shapes)

    def all(self, *patterns: str) -> bool:
        """Return whether there is a tensor for each pattern."""
        return all(self.any(pattern) for pattern in patterns)

    def input_channels(self, name: str) -> int:
        """Return the input channels of a convolution; 0 if it is not there."""
        shape = self.shapes.get(name, ())
        return shape[1] if len(shape) == 4 else 0


_IRSE = "input_layer.0.weight"
_STABLE_DIFFUSION = "Stable Diffusion or a model made from it"

# The first that fits is meant, so the more special ones come first.
_SYSTEMS: tuple[tuple[str, Callable[[Clues], bool]], ...] = (
    (
        "PStyle-3D (EG3D with style branches)",
        lambda clues: clues.any(r"backbone\.synthesis\.b\d+\.(res\d|conv\d\.affine1\.)"),
    ),
    (
        "Next3D",
        lambda clues: clues.any(r"(texture|face|mouth)_backbone\."),
    ),
    (
        "3DPE (portrait editing; an encoder with a reference branch)",
        lambda clues: clues.any(r"Ref_encoder\.") and clues.any(r"(EHigh|F|Final)_encoder\."),
    ),
    (
        "Live3D, the one-shot encoder that 3DPE starts from",
        lambda clues: clues.all(r"EHigh_encoder\.", r"F_encoder\.", r"Final_encoder\."),
    ),
    (
        "3DpSp (photo to EG3D latent)",
        lambda clues: (
            clues.input_channels(_IRSE) > 3 or clues.any(r"(encoder\.)?styles\.\d+\.linear_camera")
        ),
    ),
    (
        "a pSp-style encoder (pSp, e4e, PStyle-3D's)",
        lambda clues: clues.all(r"(encoder\.)?input_layer\.0", r"(encoder\.)?styles\.0\.convs"),
    ),
    (
        "an IR-SE face network (ArcFace)",
        lambda clues: clues.all(r"input_layer\.0\.weight", r"body\.0\."),
    ),
    (
        "CNeRF (portraits of semantic regions)",
        lambda clues: (
            clues.any(r"renderer\.network\.\d+\.shape_linears")
            or clues.all(r"convs_img\.0", r"convs_seg\.0")
        ),
    ),
    (
        "StyleSDF",
        lambda clues: clues.any(r"renderer\.network\.(pts|views)_linears"),
    ),
    (
        "InstructPix2Pix (Stable Diffusion with 8 input channels)",
        lambda clues: (
            clues.input_channels("model.diffusion_model.input_blocks.0.0.weight") == 8
            or clues.all(r"down_blocks\.0\.", r"mid_block\.")
            and clues.input_channels("conv_in.weight") == 8
        ),
    ),
    (
        _STABLE_DIFFUSION,
        lambda clues: (
            clues.any(r"model\.diffusion_model\.|cond_stage_model\.|lora_unet_|unet\.")
            or clues.all(r"down_blocks\.0\.", r"mid_block\.")
        ),
    ),
    (
        f"the image autoencoder of {_STABLE_DIFFUSION}",
        lambda clues: clues.all(r"(first_stage_model\.)?encoder\.conv_in", r".*quant_conv"),
    ),
    ("CLIP", lambda clues: clues.any(r"(text_model\.|visual\.|transformer\.resblocks)")),
    (
        "StyleGAN3 (2D images)",
        lambda clues: clues.any(r"synthesis\.L\d+_\d+_\d+\.") or clues.any(r"synthesis\.input\."),
    ),
    (
        "StyleGAN2-ada (2D images)",
        lambda clues: clues.all(r"synthesis\.b4\.", r"mapping\.fc0\."),
    ),
    (
        "StyleGAN2 (2D images, PyTorch port)",
        lambda clues: clues.all(r"(decoder\.)?to_rgb1\.", r"(decoder\.)?convs\.0\.conv\."),
    ),
    ("VGG, for perceptual distances", lambda clues: clues.any(r"(features|net\.slice1)\.\d+\.")),
)


def other_system(clues: Clues) -> str | None:
    """Return which system other than EG3D a checkpoint belongs to; None if none is recognised."""
    for system, fits in _SYSTEMS:
        if fits(clues):
            return system
    return None
