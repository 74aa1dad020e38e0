"""From the checkpoint that 3DpSp's authors publish (`3DpSp.pt`) to this package's encoder.

The file is a dictionary with `state_dict` (the encoder), `latent_avg` and `opts`. The optimiser's
state, which is most of it, stays unread. Sizes are read off the tensors; the quirks of the
published code are kept (see `systems.invert.encoder_config`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from triptych.config import from_dict
from triptych.errors import UserError
from triptych.weights.converted import ConversionOptions, Converted
from triptych.weights.file_settings import Settings
from triptych.weights.foreign_checkpoint import ForeignCheckpoint
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.psp_sizes import groups_of, heads_of
from triptych.weights.published import THREE_D_PSP_LICENCE, THREE_D_PSP_PAGE
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.tensor_sizes import Shapes, size_of
from triptych.weights.untrusted.inert import InertObject
from triptych.weights.untrusted.tensor_values import StoredTensor

_LAYERS_PER_HALVING = 4
_MAX_STEPS = 50
_REMARK = (
    "its weights were trained with a generator of EG3D, whose licence is non-commercial; "
    "invert with that generator"
)


def convert(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe the encoder of a checkpoint; see `conversion.open_checkpoint`."""
    options.refuse_any(source)
    source.refuse_foreign_names()
    path, content = source.file.path, source.file.content
    section = source.sections.get("")  # a file with a table under 'state_dict' is one network
    mean = content.get("latent_avg") if type(content) is dict else None
    settings = _settings_of(content)
    if section is None or not isinstance(mean, StoredTensor) or settings is None:
        raise UserError(
            f"{path} is no whole checkpoint of 3DpSp: it holds {source.contents_in_words()}; "
            "expected tensors in 'state_dict' and 'latent_avg', and options in 'opts'"
        )
    encoder_class, config_class = NETWORK_KINDS["encoder"].classes()
    try:
        config: Any = from_dict(config_class, _config_of(section.shapes, settings))
        codes = torch.Size((config.num_ws, config.w_dim))
        if torch.Size(mean.shape).numel() != codes.numel():
            raise UserError(f"latent_avg is {list(mean.shape)}; expected [1, *{tuple(codes)}]")
    except UserError as error:
        raise UserError(f"{path}: the encoder is not understood: {error}") from error
    added = {"latent_mean": codes, "latent_std": codes}
    check_fit(
        shapes_of(lambda: encoder_class(config)),
        {**section.shapes, **added},
        network=encoder_class.__name__,
        source=str(path),
    )
    stored = {**section.tensors, "latent_mean": mean}

    def read_tensors() -> dict[str, Tensor]:
        read = source.file.read_tensors(stored, integers=True)  # counts of batches are whole
        read["latent_mean"] = read["latent_mean"].reshape(codes).float()
        read["latent_std"] = torch.ones(codes)
        return read

    num_numbers = sum(torch.Size(shape).numel() for shape in section.shapes.values())
    return Converted(
        kind="encoder",
        config=config,
        licence=THREE_D_PSP_LICENCE,
        licence_page=THREE_D_PSP_PAGE,
        provenance={**source.record(), "network": "state_dict", "remarks": [_REMARK]},
        report=(
            *source.lines(),
            ("network", f"state_dict: encoder of 3DpSp, {num_numbers:,} numbers"),
            ("picture", f"{config.image_size} pixels, {config.image_channels} channels"),
            ("style codes", f"{config.num_ws} of {config.w_dim}"),
            ("conditioning", "camera pose" if config.camera_code else "none"),
            ("steps", str(config.restyle.num_steps)),
            ("remark", _REMARK),
        ),
        read_tensors=read_tensors,
    )


def _settings_of(content: Any) -> Settings | None:
    """Return the training options: a dictionary, or a namespace of argparse."""
    options = content.get("opts") if type(content) is dict else None
    if isinstance(options, InertObject):
        options = options.state
    return Settings("options", options) if type(options) is dict else None


def _config_of(shapes: Shapes, options: Settings) -> dict[str, Any]:
    """Read sizes off the tensors; the number of steps stands in the options."""
    widths, units = groups_of(shapes)
    image_size, heads = heads_of(shapes, _LAYERS_PER_HALVING)
    channels = size_of(shapes, "input_layer.0.weight", 1)
    camera = "styles.0.linear_camera.0.weight"
    return {
        "image_size": image_size,
        "image_channels": channels,
        "widths": widths,
        "units": units,
        "squeeze": "max",
        "head_width": size_of(shapes, "styles.0.convs.2.weight", 0),
        "heads": heads,
        "w_dim": size_of(shapes, "styles.0.linear.weight", 0),
        "camera_code": size_of(shapes, camera, 0) if camera in shapes else 0,
        "restyle": {
            "num_steps": options.whole("n_iters_per_batch", 5, least=1, most=_MAX_STEPS)
            if channels == 6
            else 1
        },
    }
