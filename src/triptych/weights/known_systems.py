"""Which published system a checkpoint belongs to, by the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping

EG3D = "EG3D"
THREE_D_PSP = "3DpSp"
CNERF = "CNeRF"
THREE_D_PE = "3DPE (portrait editing; an encoder with a reference branch)"
LIVE3D = "Live3D, the one-shot encoder that 3DPE starts from"
PSTYLE = "PStyle-3D (EG3D with style branches)"
PSTYLE_ENCODER = "PStyle-3D's style encoder"

_DIFFUSION = r"(model\.diffusion_model|cond_stage_model)\.|lora_unet_|unet\."
_FIRST_CONVOLUTION = r"model\.diffusion_model\.input_blocks\.0\.0\.weight"
_DIFFUSERS_UNET = (r"down_blocks\.0\.", r"mid_block\.")

_SIGNATURES: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (
        PSTYLE,
        ((r"backbone\.synthesis\.b\d+\.(res\d|conv\d\.affine1\.)",),),
    ),
    ("Next3D", ((r"(texture|face|mouth)_backbone\.",),)),
    (
        THREE_D_PE,
        ((r"Ref_encoder\.", r"(EHigh|F|Final)_encoder\."),),
    ),
    (
        LIVE3D,
        ((r"EHigh_encoder\.", r"F_encoder\.", r"Final_encoder\."),),
    ),
    (
        THREE_D_PSP,
        (
            (r"input_layer\.0\.weight \d+x([4-9]|\d\d+)x",),
            (r"(encoder\.)?styles\.\d+\.linear_camera",),
        ),
    ),
    (
        "a pSp-style encoder (pSp, e4e)",
        ((r"(encoder\.)?input_layer\.1\.weight", r"(encoder\.)?styles\.0\.convs"),),
    ),
    # without the normalisation tensors that the stems of pSp and e4e have
    (PSTYLE_ENCODER, ((r"(encoder\.)?input_layer\.0", r"(encoder\.)?styles\.0\.convs"),)),
    ("an IR-SE face network (ArcFace)", ((r"input_layer\.0\.weight", r"body\.0\."),)),
    (
        CNERF,
        ((r"renderer\.network\.\d+\.shape_linears",), (r"convs_img\.0", r"convs_seg\.0")),
    ),
    ("StyleSDF", ((r"renderer\.network\.(pts|views)_linears",),)),
    (
        "InstructPix2Pix (Stable Diffusion with 8 input channels)",
        (
            (rf"{_FIRST_CONVOLUTION} \d+x8x",),
            (*_DIFFUSERS_UNET, r"conv_in\.weight \d+x8x"),
        ),
    ),
    ("Stable Diffusion or a model made from it", ((_DIFFUSION,), _DIFFUSERS_UNET)),
    (
        "the image autoencoder of Stable Diffusion or a model made from it",
        ((r"(first_stage_model\.)?encoder\.conv_in", r".*quant_conv"),),
    ),
    ("CLIP", ((r"text_model\.|visual\.|transformer\.resblocks",),)),
    (
        "StyleGAN3 (2D images)",
        ((r"synthesis\.L\d+_\d+_\d+\.",), (r"synthesis\.input\.",)),
    ),
    ("StyleGAN2-ada (2D images)", ((r"synthesis\.b4\.", r"mapping\.fc0\."),)),
    (
        "StyleGAN2 (2D images, PyTorch port)",
        ((r"(decoder\.)?to_rgb1\.", r"(decoder\.)?convs\.0\.conv\."),),
    ),
    ("VGG, for perceptual distances", ((r"(features|net\.slice1)\.\d+\.",),)),
    (EG3D, ((r"backbone\.mapping\.",), (r"b4\.out\.weight",))),
)
"""Name of each system, and alternatives of patterns that must all occur in its checkpoints.

A pattern is a regular expression for the beginning of a line "NAME SIZExSIZEx..." of a tensor. The
first system that fits is meant, so the more special ones come first.
"""


def system_of(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Return the published system that a checkpoint belongs to; None if none is recognised.

    Args:
        shapes: Shapes of all tensors by name, without the section of the file.
    """
    lines = [f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items()]

    def occurs(pattern: str) -> bool:
        expression = re.compile(pattern)
        return any(expression.match(line) for line in lines)

    for system, alternatives in _SIGNATURES:
        if any(all(map(occurs, patterns)) for patterns in alternatives):
            return system
    return None
