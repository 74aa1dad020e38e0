"""From the checkpoints of 3DPE and Live3D to this package's encoders of photos.

Both files hold `encoder_state_dict` and `renderer_state_dict`, beside optimisers, a discriminator
and options, which stay unread. Sizes are read off the tensors; what neither tensors nor settings
say is as published. Groups of the trunk that are never run are named and dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.weights.converted import ConversionOptions, Converted
from triptych.weights.eg3d_settings import WITHOUT_EFFECT, rendering_of
from triptych.weights.file_settings import Settings
from triptych.weights.foreign_checkpoint import ForeignCheckpoint
from triptych.weights.known_systems import LIVE3D
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.published import (
    LIVE3D_LICENCE,
    LIVE3D_PAGE,
    THREE_D_PE_LICENCE,
    THREE_D_PE_PAGE,
)
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.tensor_sizes import Shapes, count_of, numbers_in, size_of

_ENCODER, _RENDERER = "encoder_state_dict", "renderer_state_dict"
_PARTS = {"encoder": _ENCODER, "renderer": _RENDERER}
_DEAD = ("encoder.layer3.", "encoder.layer4.")
_SETTINGS = ("rendering_kwargs", "G_rendering_kwargs", "G_renderinig_kwargs")
"""Where renderer options may stand; the last is how the published code spells it."""
_RAYS = "neural_rendering_resolution"
_SHOWN = 3
_WITHOUT_SETTINGS = (
    "the file does not say how rays are sampled: EG3D's settings of ffhqrebalanced512-128 assumed"
)
_REMARK = "its renderer is EG3D's, whose licence is non-commercial"


def convert(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe the encoder and renderer of a checkpoint; see `conversion.open_checkpoint`."""
    replace(options, plane_axes=None).refuse_any(source)
    source.refuse_foreign_names()
    path = source.file.path
    sections = {part: source.sections.get(name) for part, name in _PARTS.items()}
    system = "Live3D" if source.system == LIVE3D else "3DPE"
    tensors: dict[str, Any] = {}
    for part, section in sections.items():
        if section is None:
            raise UserError(
                f"{path} is no whole checkpoint of {system}: it holds "
                f"{source.contents_in_words()}; expected tensors in '{_ENCODER}' and '{_RENDERER}'"
            )
        tensors |= {f"{part}.{name}": tensor for name, tensor in section.tensors.items()}
    dead = [name for name in tensors if name.startswith(tuple(f"encoder.{d}" for d in _DEAD))]
    kept = {name: tensor for name, tensor in tensors.items() if name not in dead}
    shapes = {name: tensor.shape for name, tensor in kept.items()}
    network_class, config_class = NETWORK_KINDS["portrait-encoder"].classes()
    try:
        settings = _settings_of(source.file.content)
        config: Any = from_dict(config_class, _config_of(shapes, settings, options))
    except UserError as error:
        raise UserError(f"{path}: the network is not understood: {error}") from error
    check_fit(
        shapes_of(lambda: network_class(config)),
        shapes,
        network=network_class.__name__,
        source=str(path),
    )

    def read_tensors() -> dict[str, Tensor]:
        return source.file.read_tensors(kept)

    remarks = [_REMARK] if settings is not None else [_REMARK, _WITHOUT_SETTINGS]
    step = source.file.content.get("step") if type(source.file.content) is dict else None
    encoder, rendering = config.encoder, config.rendering
    layout = f"layout {encoder.layout}, " + (
        "a photo as it is" if encoder.prompt is None else "a photo and a reference"
    )
    rays = rendering.rendering
    return Converted(
        kind="portrait-encoder",
        config=config,
        licence=LIVE3D_LICENCE if system == "Live3D" else THREE_D_PE_LICENCE,
        licence_page=LIVE3D_PAGE if system == "Live3D" else THREE_D_PE_PAGE,
        provenance={
            **source.record(),
            "network": "encoder and renderer",
            "dropped": dead,
            "remarks": remarks,
            **({"step": step} if type(step) is int else {}),
        },
        report=(
            *source.lines(),
            ("network", f"{system}: {layout}, {_numbers(shapes):,} numbers"),
            (
                "planes",
                f"3 x {encoder.plane_channels} x {encoder.plane_size} x {encoder.plane_size}, "
                f"{rendering.plane_axes} axes, box {rendering.box_size:g}",
            ),
            (
                "rays",
                f"{rendering.render_size} x {rendering.render_size}, {rays.num_coarse} + "
                f"{rays.num_fine} samples from {rays.ray_start} to {rays.ray_end}",
            ),
            ("image", f"{rendering.image_size} pixels"),
            ("dropped", _dropped_in_words(dead, tensors)),
            *(("remark", remark) for remark in remarks),
        ),
        read_tensors=read_tensors,
    )


def _numbers(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _dropped_in_words(dead: list[str], tensors: Mapping[str, Any]) -> str:
    if not dead:
        return "nothing"
    numbers = _numbers({name: tensors[name].shape for name in dead})
    listed = ", ".join(dead[:_SHOWN]) + (", ..." if len(dead) > _SHOWN else "")
    return f"{len(dead)} tensors of {numbers:,} numbers that are never used: {listed}"


def _settings_of(content: Any) -> Settings | None:
    """Return the renderer options, if the file has some."""
    if type(content) is not dict:
        return None
    for key in _SETTINGS:
        if type(content.get(key)) is dict:
            values = dict(content[key])
            values.setdefault(_RAYS, content.get(_RAYS))
            return Settings("rendering options", values)
    return None


def _config_of(
    shapes: Shapes, settings: Settings | None, options: ConversionOptions
) -> dict[str, Any]:
    """Return the configuration: sizes off the tensors, rays from the settings."""
    _, config_class = NETWORK_KINDS["portrait-encoder"].classes()
    encoder, published = _encoder_sizes(shapes), config_class().rendering
    rendering = to_dict(published)
    planes = published.backbone.plane_size
    rendering["backbone"] |= {"plane_size": planes, "plane_channels": encoder["plane_channels"]}
    rendering["decoder"] |= {
        "num_hidden": size_of(shapes, "renderer.decoder.net.0.weight", 0),
        "num_features": size_of(shapes, "renderer.decoder.net.2.weight", 0) - 1,
    }
    rendering["w_dim"] = size_of(shapes, "renderer.const", 2)
    rendering["superresolution"]["widths"] = [
        size_of(shapes, f"renderer.superresolution.{block}.conv0.weight", 0)
        for block in ("block0", "block1")
    ]
    if options.plane_axes is not None:
        rendering["plane_axes"] = options.plane_axes
    if settings is not None:
        settings.asked |= WITHOUT_EFFECT
        rendering["rendering"] = to_dict(rendering_of(settings))
        rendering["box_size"] = settings.positive("box_warp")
        rendering["superresolution"]["antialias"] = settings.flag("sr_antialias", True)
        rendering["decoder"]["lr_multiplier"] = settings.positive("decoder_lr_mul", 1.0)
        if (size := settings.optional_whole(_RAYS)) is not None:
            rendering["render_size"] = size
        view = rendering["view"]
        view["radius"] = settings.positive("avg_camera_radius", view["radius"])
        view["target"] = list(settings.numbers("avg_camera_pivot", tuple(view["target"])))
    return {"encoder": encoder, "rendering": rendering}


def _encoder_sizes(shapes: Shapes) -> dict[str, Any]:
    normal = "encoder.F_encoder.net.3.weight" in shapes
    width = size_of(shapes, "encoder.F_encoder.patchembed.norm.weight", 0)
    *outputs, planes = _widths(shapes, "encoder.Final_encoder.output_net")
    sizes: dict[str, Any] = {
        "layout": "Normal" if normal else "LT",
        "trunk_widths": [
            size_of(shapes, f"encoder.encoder.layer{group}.0.conv1.weight", 0) for group in (1, 2)
        ],
        "trunk_blocks": [
            count_of(shapes, rf"encoder\.encoder\.layer{group}\.\d+\.conv1\.weight")
            for group in (1, 2)
        ],
        "pyramid_width": size_of(shapes, "encoder.decoder.1.weight", 0),
        "low_width": width,
        "low_blocks": count_of(shapes, r"encoder\.F_encoder\.blocks\.\d+\.norm1\.weight"),
        "low_outputs": _widths(shapes, "encoder.F_encoder.net"),
        "high_widths": _widths(shapes, "encoder.EHigh_encoder.net"),
        "fusion_widths": _widths(shapes, "encoder.Final_encoder.net"),
        "final_width": size_of(shapes, "encoder.Final_encoder.pathembed.norm.weight", 0),
        "output_widths": outputs,
        "plane_channels": planes // 3,
        "mlp_ratio": size_of(shapes, "encoder.F_encoder.blocks.0.mlp.fc1.weight", 0) // width,
        "prompt": None,
    }
    if count_of(shapes, r"encoder\.Ref_encoder\..*"):
        sizes["prompt"] = _prompt_sizes(shapes)
    return sizes


def _prompt_sizes(shapes: Shapes) -> dict[str, Any]:
    seen = "encoder.Ref_encoder.mae_encoder"
    width = size_of(shapes, f"{seen}.pos_embed", 2)
    patch = size_of(shapes, f"{seen}.patch_embed.proj.weight", 2)
    grid = round((size_of(shapes, f"{seen}.pos_embed", 1) - 1) ** 0.5)
    return {
        "image_size": grid * patch,
        "patch_size": patch,
        "width": width,
        "depth": count_of(shapes, rf"{seen}\.blocks\.\d+\.norm1\.weight"),
        "mlp_ratio": size_of(shapes, f"{seen}.blocks.0.mlp.fc1.weight", 0) // width,
        "query_channels": size_of(shapes, "encoder.Ref_encoder.pre_conv.weight", 0),
    }


def _widths(shapes: Shapes, sequence: str) -> list[int]:
    """Return the output channels of a sequence's convolutions, in order."""
    numbers = numbers_in(shapes, rf"{sequence}\.(\d{{1,2}})\.weight")
    if not numbers:
        raise UserError(f"the tensor {sequence}.0.weight is missing or has an impossible shape")
    return [size_of(shapes, f"{sequence}.{number}.weight", 0) for number in numbers]
