"""From a checkpoint of EG3D to this package's generator or discriminator."""

from __future__ import annotations

from typing import Any

from triptych.models.eg3d import OFFICIAL_CONFIGS, EG3DConfig
from triptych.weights.converted import ConversionOptions, Converted
from triptych.weights.eg3d_checkpoint import EG3DCheckpoint, find_eg3d_network
from triptych.weights.foreign_checkpoint import ForeignCheckpoint
from triptych.weights.published import EG3D_FILES, EG3D_LICENCE, EG3D_LICENCE_PAGE
from triptych.weights.untrusted.known_calls import is_plain

_OF_EG3D = ("training.", "torch_utils.", "dnnlib.", "torch.nn.modules.")
_SHOWN = 5


def convert(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe one of EG3D's networks; see `conversion.open_checkpoint`."""
    return converted(
        find_eg3d_network(source, options.network, options.settings_of, options.plane_axes)
    )


def converted(checkpoint: EG3DCheckpoint) -> Converted:
    """Return a network that was found in this package's terms."""
    official = official_name(checkpoint.file.sha256)
    return Converted(
        kind="generator" if isinstance(checkpoint.config, EG3DConfig) else "discriminator",
        config=checkpoint.config,
        licence=EG3D_LICENCE,
        licence_page=EG3D_LICENCE_PAGE,
        provenance=_provenance(checkpoint, official),
        report=tuple(_report(checkpoint, official)),
        read_tensors=checkpoint.tensors,
    )


def official_name(sha256: str) -> str | None:
    """Return which official model a file is, by its hash."""
    for name, published in EG3D_FILES.items():
        if published.sha256 and published.sha256 == sha256:
            return name
    return None


def _report(checkpoint: EG3DCheckpoint, official: str | None) -> list[tuple[str, str]]:
    config = checkpoint.config
    stored_class = checkpoint.section.class_name or "table of tensors"
    lines = [
        *checkpoint.source.lines(official),
        ("network", f"{checkpoint.network}: {stored_class}, {checkpoint.num_parameters:,} numbers"),
    ]
    if isinstance(config, EG3DConfig):
        lines += _generator_lines(config)
    else:
        lines += [
            ("image", f"{config.image_size} pixels"),
            ("conditioning", f"label of {config.label_dim} numbers"),
        ]
    return lines + [("remark", remark) for remark in _remarks(checkpoint, official)]


def _generator_lines(config: EG3DConfig) -> list[tuple[str, str]]:
    mapping, backbone, rendering = config.mapping, config.backbone, config.rendering
    head = config.superresolution
    assert head is not None  # every generator of EG3D has one
    ignored = mapping.zero_label or mapping.label_scale == 0
    return [
        ("latent", f"z {config.z_dim}, w {config.w_dim}, {mapping.num_layers} mapping layers"),
        ("conditioning", "none: labels are zeroed" if ignored else "camera pose"),
        (
            "planes",
            f"3 x {backbone.plane_channels} x {backbone.plane_size} x {backbone.plane_size}, "
            f"{config.plane_axes} axes, box {config.box_size:g}",
        ),
        (
            "rays",
            f"{config.render_size} x {config.render_size}, {rendering.num_coarse} + "
            f"{rendering.num_fine} samples from {rendering.ray_start} to {rendering.ray_end}, "
            f"background {rendering.background:g}",
        ),
        ("image", f"{config.image_size} pixels by super-resolution {head.kind}"),
        ("camera", f"radius {config.view.radius:g}, target {list(config.view.target)}"),
    ]


def _remarks(checkpoint: EG3DCheckpoint, official: str | None) -> list[str]:
    remarks = list(checkpoint.remarks)
    foreign = sorted(
        str(name)
        for name in checkpoint.file.names
        if not is_plain(name) and not f"{name.module}.".startswith(_OF_EG3D)
    )
    if foreign:
        more = ", ..." if len(foreign) > _SHOWN else ""
        remarks.append(
            f"the file also names {', '.join(foreign[:_SHOWN])}{more}; nothing of it was run"
        )
    sources = checkpoint.section.sources
    if sources:
        length = sum(source.num_characters for source in set(sources.values()))
        remarks.append(f"{length:,} characters of source text are stored in it; not run")
    if official is not None and checkpoint.network != "D":
        expected = OFFICIAL_CONFIGS[official]()
        if checkpoint.config != expected:
            remarks.append(f"its settings differ from this version's preset of {official}")
    return remarks


def _provenance(checkpoint: EG3DCheckpoint, official: str | None) -> dict[str, Any]:
    record: dict[str, Any] = {
        **checkpoint.source.record(),
        "network": checkpoint.network,
        "remarks": list(checkpoint.remarks),
        "sources": {
            name: {"characters": source.num_characters, "sha256": source.sha256}
            for name, source in sorted(checkpoint.section.sources.items())
        },
    }
    if official is not None:
        record["official"] = official
    spread = checkpoint.label_spread()
    if spread is not None:
        record["label_std"] = spread
    return record
