"""From the checkpoints that CNeRF's training writes to this package's generator of regions.

Stage 1 saves `g`, `gd`, `sd` and `g_ema`, the sphere initialisation `g` and `g_ema`, stage 2 (and
the released `final_model.pt`) `g`, `d` and `g_ema`. The averaged generator, `g_ema`, is converted.
Sizes are read off its tensors; every tensor must fit, where the published loader skips those that
do not and leaves random weights.
"""

from __future__ import annotations

import math
import re
from typing import Any

from torch import Tensor

from triptych.config import from_dict
from triptych.errors import UserError
from triptych.weights.converted import ConversionOptions, Converted
from triptych.weights.foreign_checkpoint import ForeignCheckpoint
from triptych.weights.network_kinds import NETWORK_KINDS
from triptych.weights.published import CNERF_LICENCE, CNERF_PAGE
from triptych.weights.tensor_fit import check_fit, shapes_of
from triptych.weights.tensor_sizes import Shapes, count_of, size_of

_AVERAGED = "g_ema"
_STAGES = {
    frozenset({"g", "gd", "sd", "g_ema"}): "stage 1: volume without decoder",
    frozenset({"g", "g_ema"}): "sphere initialisation",
    frozenset({"g", "d", "g_ema"}): "stage 2: whole generator",
}
_DEAD = re.compile(
    r"decoder\.(conv1|convs\.\d+)\.bias"
    r"|renderer\.init_network\.(mask_linears|feature_linear|rgb_linear)\.(weight|bias)"
)
_SHOWN = 3
_REMARKS = (
    "region 3 is taken for the mouth and 4 for the brows, as the published training stacks its "
    "masks; the published documentation says the opposite; look at region 3 of a render",
    "networks see directions in the frame of the camera and rays have 64 samples, as in the "
    "published inference",
)


def convert(source: ForeignCheckpoint, options: ConversionOptions) -> Converted:
    """Describe the averaged generator of a checkpoint; see `conversion.open_checkpoint`."""
    options.refuse_any(source)
    source.refuse_foreign_names()
    path, section = source.file.path, source.sections.get(_AVERAGED)
    if section is None:
        raise UserError(
            f"{path} is no whole checkpoint of CNeRF: it holds {source.contents_in_words()}; "
            f"expected tensors in '{_AVERAGED}'"
        )
    generator_class, config_class = NETWORK_KINDS["region-generator"].classes()
    try:
        config: Any = from_dict(config_class, _config_of(section.shapes))
    except UserError as error:
        raise UserError(f"{path}: the generator is not understood: {error}") from error
    check_fit(
        shapes_of(lambda: generator_class(config)),
        section.shapes,
        network=generator_class.__name__,
        source=str(path),
    )
    dead = sorted(name for name in section.shapes if _DEAD.fullmatch(name))

    def read_tensors() -> dict[str, Tensor]:
        return source.file.read_tensors(section.tensors)

    num_numbers = sum(math.prod(shape) for shape in section.shapes.values())
    stage = _STAGES.get(frozenset(source.sections), "another set of networks")
    never_used = f"{len(dead)} tensors ({', '.join(dead[:_SHOWN])}, ...), kept as they are"
    return Converted(
        kind="region-generator",
        config=config,
        licence=CNERF_LICENCE,
        licence_page=CNERF_PAGE,
        provenance={
            **source.record(),
            "network": _AVERAGED,
            "stage": stage,
            "never_used": dead,
            "remarks": list(_REMARKS),
        },
        report=(
            *source.lines(),
            ("checkpoint", stage),
            ("network", f"{_AVERAGED}: generator of CNeRF, {num_numbers:,} numbers"),
            ("regions", ", ".join(config.regions)),
            ("picture", f"{config.image_size} pixels of {config.render_size}^2 rays"),
            ("never used", never_used),
            *(("remark", remark) for remark in _REMARKS),
        ),
        read_tensors=read_tensors,
    )


def _config_of(shapes: Shapes) -> dict[str, Any]:
    """Read sizes off the tensors."""
    region = "renderer.network.0."
    num_regions = count_of(shapes, r"renderer\.network\.(\d+)\.sdf_linear\.weight")
    config: dict[str, Any] = {
        "style_dim": size_of(shapes, "style.0.weight", 1),
        "mapping_layers": count_of(shapes, r"style\.(\d+)\.weight"),
        "hidden": size_of(shapes, f"{region}shape_linears.0.weight", 0),
        "shape_layers": count_of(shapes, rf"{re.escape(region)}shape_linears\.(\d+)\.weight"),
        "texture_layers": count_of(shapes, rf"{re.escape(region)}texture_linears\.(\d+)\.weight"),
        "decoder": None,
    }
    _, config_class = NETWORK_KINDS["region-generator"].classes()
    published = config_class().regions
    if num_regions != len(published):
        raise UserError(f"it has {num_regions} regions; expected {len(published)}")
    if "decoder.conv1.conv.weight" not in shapes:
        return config
    octaves = count_of(shapes, r"decoder\.to_rgbs\.(\d+)\.bias")
    config["render_size"] = size_of(shapes, "decoder.noises.noise_0", 2)
    config["decoder"] = {
        "feature_width": size_of(shapes, "feature_transfer.0.weight", 0),
        "style_dim": size_of(shapes, "decoder.style.1.weight", 0),
        "mapping_layers": count_of(shapes, r"decoder\.style\.(\d+)\.weight"),
        "widths": [
            size_of(shapes, "decoder.conv1.conv.weight", 1),
            *(size_of(shapes, f"decoder.convs.{2 * i}.conv.weight", 1) for i in range(octaves)),
        ],
    }
    return config
