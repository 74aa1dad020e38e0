"""From the settings that EG3D stores with a network to this package's configurations.

Every value is checked: the settings come from an untrusted file.

Reference: Chan et al., EG3D (2022), official code: the constructor arguments of its generator and
of its dual discriminator, and the options of its renderer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from triptych.camera import RADIUS, TARGET
from triptych.errors import UserError
from triptych.models.eg3d import (
    OFFICIAL_CONFIGS,
    BackboneConfig,
    DecoderConfig,
    EG3DConfig,
    MappingConfig,
    ViewConfig,
)
from triptych.nn.discriminator import DiscriminatorConfig
from triptych.nn.superresolution import SuperResolutionConfig, SuperResolutionKind
from triptych.nn.synthesis_layers import NoiseMode
from triptych.ops.sample_planes import AXES, PlaneAxes
from triptych.render.renderer import RenderConfig
from triptych.weights.file_settings import LARGEST_WHOLE, Settings
from triptych.weights.untrusted.inert import shown

GENERATOR_ARGUMENTS = (
    "z_dim",
    "c_dim",
    "w_dim",
    "img_resolution",
    "img_channels",
    "sr_num_fp16_res",
    "mapping_kwargs",
    "rendering_kwargs",
    "sr_kwargs",
)
DISCRIMINATOR_ARGUMENTS = ("c_dim", "img_resolution", "img_channels", "architecture")
WITHOUT_EFFECT = {
    "avg_camera_pivot",
    "avg_camera_radius",
    "density_reg",
    "density_reg_p_dist",
    "gpc_reg_prob",
    "image_resolution",
    "reg_type",
}
"""Renderer options that only training or a viewer reads."""
_SR_CLASS = "SuperresolutionHybrid"
_BLOCK = "backbone.synthesis.b"
_BLOCK_SIZES = tuple(2**level for level in range(2, 11))
_DEEPEST = 64
_SR_CLAMP = 256.0

Shapes = Mapping[str, tuple[int, ...]]


def plane_axes_of(matrices: Any) -> PlaneAxes:
    """Return which coordinates the planes sample, from the matrices that EG3D's renderer keeps.

    Points are multiplied by the inverse of each matrix, and the first two results are the plane's
    coordinates.

    Args:
        matrices: Array [3, 3, 3].

    Raises:
        UserError: They are neither EG3D's nor its corrected ones.
    """
    planes = np.asarray(matrices)
    if planes.dtype.kind == "c":
        raise UserError("its plane axes are not three choices of coordinates")
    planes = planes.astype(np.float64)
    if planes.shape != (3, 3, 3) or not np.isin(planes, (0.0, 1.0)).all():
        raise UserError("its plane axes are not three choices of coordinates")
    if not np.array_equal(planes @ planes.transpose(0, 2, 1), np.stack([np.eye(3)] * 3)):
        raise UserError("its plane axes are not three choices of coordinates")
    # a permutation's inverse is its transpose, so row j selects the coordinate of result j
    pairs = tuple((int(first), int(second)) for first, second, _ in planes.argmax(axis=2))
    for name, known in AXES.items():
        if pairs == known:
            return name
    letters = " ".join("xyz"[first] + "xyz"[second] for first, second in pairs)
    raise UserError(
        f"its planes sample the coordinates {letters}; known are xy xz zx (legacy) and "
        "xy xz zy (corrected)"
    )


@dataclass(frozen=True)
class GeneratorSettings:
    """A generator's configuration, with assumptions and omissions.

    Attributes:
        config: The configuration.
        remarks: Sentences for the user.
    """

    config: EG3DConfig
    remarks: tuple[str, ...]


def generator_config(
    arguments: Mapping[Any, Any],
    rendering: Mapping[Any, Any] | None,
    shapes: Shapes,
    *,
    render_size: int | None,
    plane_axes: PlaneAxes | None,
) -> GeneratorSettings:
    """Return the configuration of a generator.

    Args:
        arguments: Its constructor's arguments.
        rendering: Renderer options as they were last; None takes the constructor's.
        shapes: Shapes of its tensors: they give what EG3D's code fixes.
        render_size: Height and width at which rays are cast, if the file says.
        plane_axes: The coordinates that the planes sample, if the file says.

    Raises:
        UserError: Something is missing, of the wrong type, or not known to this package.
    """
    given = Settings("constructor arguments", arguments)
    given.asked |= {"sr_kwargs", "fused_modconv_default", "num_fp16_res"}  # of no effect here
    first_options = given.within("rendering_kwargs").values
    options = Settings("rendering options", first_options if rendering is None else rendering)
    options.asked |= WITHOUT_EFFECT
    remarks: list[str] = []
    superresolution = _superresolution(given, options, shapes)
    if render_size is None:
        render_size = superresolution.input_size
        remarks.append(f"the file does not say at which size rays are cast: {render_size} assumed")
    if plane_axes is None:
        plane_axes = "legacy"
        remarks.append(
            "the file does not say which coordinates its planes sample: EG3D's legacy axes assumed"
        )
    if given.whole("img_channels", 3) != 3:
        raise UserError("its images do not have 3 channels")
    config = EG3DConfig(
        z_dim=given.whole("z_dim", least=1),
        w_dim=given.whole("w_dim", least=1),
        label_dim=given.whole("c_dim"),
        image_size=given.whole("img_resolution", least=1),
        render_size=render_size,
        box_size=options.positive("box_warp"),
        plane_axes=plane_axes,
        mapping=_mapping(given.within("mapping_kwargs"), options),
        backbone=_backbone(given, shapes),
        decoder=_decoder(options, shapes),
        rendering=rendering_of(options),
        superresolution=superresolution,
        view=_view(options),
    )
    if options.number("density_noise", 0.0) != 0:
        remarks.append("density_noise is left out: rendering here is deterministic")
    for settings in (given, options):
        unknown = settings.not_asked()
        if unknown:
            remarks.append(f"{settings.what} that EG3D does not have: {', '.join(unknown[:5])}")
    return GeneratorSettings(config, tuple(remarks))


def discriminator_config(arguments: Mapping[Any, Any]) -> DiscriminatorConfig:
    """Return the configuration of a dual discriminator; see `generator_config`."""
    given = Settings("constructor arguments", arguments)
    if given.word("architecture", "resnet") != "resnet" or given.whole("img_channels", 3) != 3:
        raise UserError("its discriminator is not the residual one of EG3D")
    epilogue, mapping = given.within("epilogue_kwargs"), given.within("mapping_kwargs")
    epilogue.asked.add("mbstd_group_size")
    grouped = "mbstd_group_size" not in epilogue.values or epilogue.values["mbstd_group_size"]
    image_size = given.whole("img_resolution", least=8, most=2048)
    if image_size & (image_size - 1):
        raise UserError(f"its images have {image_size} pixels; expected a power of two")
    return DiscriminatorConfig(
        image_size=image_size,
        label_dim=given.whole("c_dim"),
        channel_base=given.whole("channel_base", 32768, least=image_size, most=1 << 20),
        channel_max=given.whole("channel_max", 512, least=1),
        conv_clamp=given.optional_number("conv_clamp", 256.0),
        num_mapping_layers=mapping.whole("num_layers", 8, least=1, most=_DEEPEST),
        group_size=epilogue.whole("mbstd_group_size", 4) if grouped else None,
    )


def _mapping(given: Settings, options: Settings) -> MappingConfig:
    if given.word("activation", "lrelu") != "lrelu":
        raise UserError("its mapping network does not use leaky ReLU")
    return MappingConfig(
        num_layers=given.whole("num_layers", 8, least=1, most=_DEEPEST),
        embed_features=given.optional_whole("embed_features"),
        layer_features=given.optional_whole("layer_features"),
        lr_multiplier=given.positive("lr_multiplier", 0.01),
        zero_label=options.flag("c_gen_conditioning_zero", False),
        label_scale=options.number("c_scale", 0.0),  # EG3D takes 0 where it is not given
    )


def _backbone(given: Settings, shapes: Shapes) -> BackboneConfig:
    present = [size for size in _BLOCK_SIZES if f"{_BLOCK}{size}.torgb.weight" in shapes]
    plane_size = max(present, default=_BLOCK_SIZES[0])
    readouts = _size_of(shapes, f"{_BLOCK}{plane_size}.torgb.weight", 0)
    if given.word("architecture", "skip") != "skip":
        raise UserError("its backbone is not of the 'skip' architecture")
    return BackboneConfig(
        plane_size=plane_size,
        plane_channels=readouts // 3,
        channel_base=given.whole("channel_base", 32768, least=plane_size, most=1 << 20),
        channel_max=given.whole("channel_max", 512, least=1),
        conv_clamp=given.optional_number("conv_clamp", 256.0),
        use_noise=given.flag("use_noise", True),
    )


def _decoder(options: Settings, shapes: Shapes) -> DecoderConfig:
    return DecoderConfig(
        num_hidden=_size_of(shapes, "decoder.net.0.weight", 0),
        num_features=_size_of(shapes, "decoder.net.2.weight", 0) - 1,
        lr_multiplier=options.positive("decoder_lr_mul", 1.0),
    )


def _size_of(shapes: Shapes, name: str, dimension: int) -> int:
    shape = shapes.get(name, ())
    if len(shape) <= dimension or not 1 <= shape[dimension] <= LARGEST_WHOLE:
        raise UserError(f"it lacks the tensor {name}, or that has an impossible shape")
    return shape[dimension]


def _superresolution(given: Settings, options: Settings, shapes: Shapes) -> SuperResolutionConfig:
    name = options.word("superresolution_module").split(".")[-1]
    kinds: tuple[SuperResolutionKind, ...] = get_args(SuperResolutionKind)
    for kind in kinds:
        if name == _SR_CLASS + kind:
            break
    else:
        known = ", ".join(_SR_CLASS + kind for kind in kinds)
        raise UserError(f"its super-resolution is '{shown(name)}'; known are {known}")
    noise: tuple[NoiseMode, ...] = get_args(NoiseMode)
    mode = options.word("superresolution_noise_mode", "none")
    if mode not in noise:
        raise UserError(f"its super-resolution noise is '{shown(mode)}'; known: {', '.join(noise)}")
    trained_in_half = given.whole("sr_num_fp16_res", 0, most=_DEEPEST) > 0
    config = SuperResolutionConfig(
        kind=kind,
        antialias=options.flag("sr_antialias", True),
        noise_mode=mode,
        conv_clamp=_SR_CLAMP if trained_in_half else None,
    )
    first, second = (
        _size_of(shapes, f"superresolution.{block}.conv0.weight", 0)
        for block in ("block0", "block1")
    )
    widths = None if (first, second) == config.official_widths else (first, second)
    return replace(config, widths=widths)


def rendering_of(options: Settings) -> RenderConfig:
    """Return how rays are sampled, from EG3D's renderer options."""
    if options.word("clamp_mode", "softplus") != "softplus":
        raise UserError("its densities are not activated by softplus, as EG3D's are")
    return RenderConfig(
        num_coarse=options.whole("depth_resolution"),
        num_fine=options.whole("depth_resolution_importance"),
        ray_start=_limit(options, "ray_start"),
        ray_end=_limit(options, "ray_end"),
        disparity_sampling=options.flag("disparity_space_sampling", False),
        background=1.0 if options.flag("white_back", False) else -1.0,
    )


def _limit(options: Settings, key: str) -> float | Literal["auto"]:
    return "auto" if options.values.get(key) == "auto" else options.number(key)


def _view(options: Settings) -> ViewConfig:
    x, y, z = options.numbers("avg_camera_pivot", TARGET)
    view = ViewConfig(options.positive("avg_camera_radius", RADIUS), (x, y, z))
    for official in OFFICIAL_CONFIGS.values():
        known = official().view
        if (known.radius, known.target) == (view.radius, view.target):
            return known  # only the official models' focal lengths are published
    return view
