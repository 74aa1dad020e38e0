"""From the files that PStyle-3D's training writes to this package's generator and style encoder.

The generator (`model_G_style.pth`) is a table of tensors under `G_ema`, without settings: sizes are
read off the tensors, the rest is EG3D's ffhq512-128, which all published scripts take. The style
encoder is a whole pickled module; only its tensors are taken.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from triptych.config import from_dict, to_dict
from triptych.errors import UserError
from triptych.models.eg3d import EG3DConfig
from triptych.weights.converted import ConversionOptions, Converted
from triptych.weights.foreign_checkpoint import ForeignCheckpoint
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.psp_sizes import groups_of, heads_of
from triptych.weights.published import PSTYLE_LICENCE, PSTYLE_PAGE
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.tensor_sizes import Shapes, count_of, numbers_in, size_of
from triptych.weights.untrusted.known_calls import is_plain
from triptych.weights.untrusted.tensor_values import StoredTensor

_GENERATOR = "G_ema"
_SYNTHESIS = "backbone.synthesis."
_LABEL_SPREAD = "dataset_label_std"
_RESIDUAL = re.compile(r".*\.res[01]\.(conv2?|norm2?|affine)\..*")
_STYLE_BIAS = re.compile(r".*\.res[01]\.norm2?\.style\.bias")
_ACTIVATION_BIAS = re.compile(r".*\.res[01]\.conv2?\.1\.bias")
_LARGEST_INITIAL_BIAS = 2 * 4096
_OF_THE_ENCODER = ("training.volumetric_rendering.", "torch.nn.modules.")
_LAYERS_PER_HALVING = 2
_ASSUMED = (
    "the file has no settings; those of ffhq512-128 taken, as all published scripts do; they "
    "sample 192 + 192 points per ray"
)
_DEAD = (
    "its residual blocks were never trained: in the released code they return twice their input "
    "(modres 'double')"
)
_LIVE = (
    "its residual blocks were trained, so its code differs from the released one: their branch is "
    "added (modres 'residual'), and the gain of ToRGB layers is assumed to be applied twice"
)
_WITHOUT = "it has no residual blocks (modres 'off'); ToRGB gains are assumed to be applied twice"
_BATCH_NORMS = "it was saved in training mode; its running averages are used, as published"


def convert(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe the generator of a checkpoint; see `conversion.open_checkpoint`."""
    options.refuse_any(source)
    source.refuse_foreign_names()
    path, section = source.file.path, source.sections.get(_GENERATOR)
    if section is None:
        raise UserError(
            f"{path} is no whole checkpoint of PStyle-3D: it holds {source.contents_in_words()}; "
            f"expected tensors in '{_GENERATOR}'"
        )
    stored = {name: t for name, t in section.tensors.items() if name != _LABEL_SPREAD}
    residual = {name: t for name, t in stored.items() if _RESIDUAL.fullmatch(name)}
    try:
        modres, remark = _kind_of_residuals(residual)
        config = _generator_config(section.shapes, modres)
    except UserError as error:
        raise UserError(f"{path}: the generator is not understood: {error}") from error
    dropped = sorted(residual) if modres == "double" else []
    kept = {name: tensor for name, tensor in stored.items() if name not in dropped}
    numbers = _numbers({name: residual[name] for name in dropped})
    return _converted(
        source,
        "styled-generator",
        config,
        kept,
        network=_GENERATOR,
        dropped=dropped,
        remarks=(_ASSUMED, remark),
        report=(
            ("network", f"{_GENERATOR}: generator of PStyle-3D, {_numbers(kept):,} numbers"),
            ("image", f"{config.image_size} pixels of {config.render_size}^2 rays"),
            (
                "dropped",
                f"{len(dropped)} tensors of {numbers:,} numbers in residual blocks"
                if dropped
                else "nothing",
            ),
        ),
        read=lambda: source.file.read_tensors(kept),
    )


def convert_encoder(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe the style encoder of a pickled module, or of a table of its tensors."""
    options.refuse_any(source)
    _refuse_names_of_others(source)
    path, section = source.file.path, source.sections.get("")
    if section is None:
        raise UserError(
            f"{path} holds no single style encoder of PStyle-3D: {source.contents_in_words()}"
        )
    stored = {name.removeprefix("encoder."): t for name, t in section.tensors.items()}
    shapes = {name: tensor.shape for name, tensor in stored.items()}
    _, config_class = NETWORK_KINDS["style-encoder"].classes()
    try:
        config = from_dict(config_class, _encoder_sizes(shapes))
    except UserError as error:
        raise UserError(f"{path}: the style encoder is not understood: {error}") from error
    is_module = bool(section.class_name)
    return _converted(
        source,
        "style-encoder",
        config,
        stored,
        network="style encoder",
        dropped=[],
        remarks=(_BATCH_NORMS,) if is_module else (),
        report=(
            ("network", f"style encoder of PStyle-3D, {_numbers(stored):,} numbers"),
            ("stored as", f"a whole module, {section.class_name}" if is_module else "a table"),
            ("picture", f"{config.image_size} pixels"),
            ("style codes", f"{config.num_ws} of {config.w_dim}"),
        ),
        read=lambda: source.file.read_tensors(stored, integers=True),
    )


def _converted(
    source: ForeignCheckpoint,
    kind: str,
    config: Any,
    stored: Mapping[str, StoredTensor],
    *,
    network: str,
    dropped: list[str],
    remarks: tuple[str, ...],
    report: tuple[tuple[str, str], ...],
    read: Callable[[], dict[str, Tensor]],
) -> Converted:
    """Return a network whose tensors fit; see `Converted`."""
    network_class, _ = NETWORK_KINDS[kind].classes()
    check_fit(
        shapes_of(lambda: network_class(config)),
        {name: tensor.shape for name, tensor in stored.items()},
        network=network_class.__name__,
        source=str(source.file.path),
    )
    return Converted(
        kind=kind,
        config=config,
        licence=PSTYLE_LICENCE,
        licence_page=PSTYLE_PAGE,
        provenance={
            **source.record(),
            "network": network,
            "dropped": dropped,
            "remarks": list(remarks),
        },
        report=(*source.lines(), *report, *(("remark", remark) for remark in remarks)),
        read_tensors=read,
    )


def _refuse_names_of_others(source: ForeignCheckpoint) -> None:
    """Check that a pickled module names nothing but data and the classes of such an encoder."""
    foreign = sorted(
        str(name)
        for name in source.file.names
        if not is_plain(name) and not f"{name.module}.".startswith(_OF_THE_ENCODER)
    )
    if foreign:
        raise UserError(
            f"{source.file.path} names {', '.join(foreign[:3])}, which no style encoder of "
            "PStyle-3D needs; nothing of it was run"
        )


def _kind_of_residuals(residual: Mapping[str, StoredTensor]) -> tuple[str, str]:
    """Return the `modres` setting that a checkpoint was trained with, and a remark.

    The released code never reads the branch, so its biases stay exactly as they were initialised:
    ones, then zeros, in the normalisations; zeros in the activations.
    """
    if not residual:
        return "off", _WITHOUT
    for name, stored in residual.items():
        if math.prod(stored.shape) > _LARGEST_INITIAL_BIAS:
            continue
        if _STYLE_BIAS.fullmatch(name):
            scale, shift = stored.read().float().chunk(2)
            untouched = bool((scale == 1).all() and (shift == 0).all())
        elif _ACTIVATION_BIAS.fullmatch(name):
            untouched = bool((stored.read() == 0).all())
        else:
            continue
        if not untouched:
            return "residual", _LIVE
    return "double", _DEAD


def _generator_config(shapes: Shapes, modres: str) -> Any:
    """Return the configuration: sizes off the tensors, all else EG3D's ffhq512-128."""
    _, config_class = NETWORK_KINDS["styled-generator"].classes()
    published = EG3DConfig()
    sizes = numbers_in(shapes, r"backbone\.synthesis\.b(\d{1,4})\.torgb\.weight")
    if not sizes:
        raise UserError("its backbone has no ToRGB layer")
    widths = {size: size_of(shapes, f"{_SYNTHESIS}b{size}.torgb.weight", 1) for size in sizes}
    plane_size, most = sizes[-1], widths[sizes[0]]
    narrowed = [width * size for size, width in widths.items() if width < most]
    label = size_of(shapes, "backbone.mapping.embed.weight", 1)
    embedded = size_of(shapes, "backbone.mapping.embed.weight", 0)
    first = "backbone.mapping.fc0.weight"
    head = published.superresolution
    assert head is not None
    found = replace(
        published,
        z_dim=max(1, size_of(shapes, first, 1) - embedded),
        w_dim=size_of(shapes, "backbone.mapping.w_avg", 0),
        label_dim=label,
        mapping=replace(
            published.mapping,
            num_layers=count_of(shapes, r"backbone\.mapping\.fc\d+\.weight"),
            embed_features=embedded,
            layer_features=size_of(shapes, first, 0),
        ),
        backbone=replace(
            published.backbone,
            plane_size=plane_size,
            plane_channels=size_of(shapes, f"{_SYNTHESIS}b{plane_size}.torgb.weight", 0) // 3,
            channel_base=narrowed[0] if narrowed else most * plane_size,
            channel_max=most,
        ),
        decoder=replace(
            published.decoder,
            num_hidden=size_of(shapes, "decoder.net.0.weight", 0),
            num_features=size_of(shapes, "decoder.net.2.weight", 0) - 1,
        ),
        superresolution=replace(
            head,
            widths=(
                size_of(shapes, "superresolution.block0.conv0.weight", 0),
                size_of(shapes, "superresolution.block1.conv0.weight", 0),
            ),
        ),
    )
    return from_dict(config_class, {**to_dict(found), "modres": modres, "rgb_gain": "twice"})


def _encoder_sizes(shapes: Shapes) -> dict[str, Any]:
    widths, units = groups_of(shapes)
    image_size, heads = heads_of(shapes, _LAYERS_PER_HALVING)
    return {
        "image_size": image_size,
        "widths": widths,
        "units": units,
        "head_width": size_of(shapes, "styles.0.convs.0.weight", 0),
        "heads": heads,
        "w_dim": size_of(shapes, "styles.0.linear.weight", 0),
    }


def _numbers(stored: Mapping[str, StoredTensor]) -> int:
    return sum(torch.Size(tensor.shape).numel() for tensor in stored.values())
