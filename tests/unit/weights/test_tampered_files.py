"""Tampered files of this package's own form: one line each, before time or memory is spent."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tampered_files import (
    KINDS,
    camera_label,
    load,
    parts,
    rewritten,
    whole,
    with_field,
    with_table,
)
from toy_portraits import tiny_portrait

from triptych.errors import FileNote, UserError
from triptych.portrait import Portrait
from triptych.portrait.portrait_file import check_is_portrait
from triptych.weights.framing_of_model import framing_of_model
from triptych.weights.safetensors_file import read_header

HUGE = 10**400


def refused(kind: str, path: Path) -> str:
    """See that a file is refused in one line that a terminal shows as it is; return the line."""
    with pytest.raises(UserError) as caught:
        load(kind, path)
    message = str(caught.value)
    assert path.name in message
    assert all(line.isprintable() for line in message.split("\n"))
    assert len(message) < 2000
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_rewritten_without_a_change_opens(tmp_path, kind):
    assert load(kind, rewritten(tmp_path / "a.safetensors", *parts(kind))) is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["config", "provenance", "metrics"])
@pytest.mark.parametrize("value", [None, 5, [], True, "words"])
def test_what_is_no_object_is_refused(tmp_path, kind, field, value):
    fields, tensors = parts(kind)
    path = rewritten(tmp_path / "a.safetensors", {**fields, field: value}, tensors)
    assert "expected an object" in refused(kind, path)


OUT_OF_RANGE: dict[str, list[Any]] = {
    "config.view.focal": [0, -1.0, math.nan, 1e-38, 1e38],
    "config.view.radius": [0, math.inf, HUGE],
    "config.view.target": [[math.nan, 0, 0], [0, 0, 2.7], [0, 0], "xyz"],
    "config.box_size": [0, 1e-38, HUGE, math.inf, None],
    "config.rendering.num_coarse": [3, 10**9, 48.5, "many"],
    "config.rendering.num_fine": [-1, 10**9],
    "config.rendering.ray_end": [math.inf, HUGE, 0, "auto"],
    "config.rendering.background": [math.nan, 3e38, None],
    "config.rendering.density_gain": [0, math.nan, 1e30],
    "config.decoder.num_hidden": [0, 30_000_000, 2**70],
    "config.decoder.num_features": [0, 1, 10**9],
    "config.decoder.lr_multiplier": [0, math.nan, 1e30],
    "config.backbone.plane_size": [0, 100_000],
    "config.backbone.plane_channels": [0, 10**7],
    "config.backbone.channel_max": [0, 20_000],
    "config.backbone.channel_base": [0, 10**12],
    "config.backbone.resample_filter": [[], [1.0] * 1000, [math.nan]],
    "config.mapping.num_layers": [0, 10_000_000],
    "config.mapping.label_scale": [math.nan],
    "config.render_size": [0, 100_000],
    "config.image_size": [0, 100_000],
    "config.w_dim": [0, 10**9],
    "config.z_dim": [0, 10**9],
    "config.plane_axes": ["sideways", [], {}],
    "config.framing": [5, [], {"points": []}],
    "class_name": ["", "x" * 5000, 5, None, "\x1b[2J\x1b]0;owned\x07"],
    "format_version": [0, 3, "2", None, 2.0, HUGE],
}


@pytest.mark.parametrize("kind", ["portrait", "generator"])
@pytest.mark.parametrize("where", OUT_OF_RANGE)
def test_settings_out_of_range_are_refused(tmp_path, kind, where):
    fields, tensors = parts(kind)
    for value in OUT_OF_RANGE[where]:
        changed = with_field(fields, where, value)
        refused(kind, rewritten(tmp_path / "a.safetensors", changed, tensors))


@pytest.mark.parametrize(
    ("kind", "where", "value"),
    [
        ("features", "config.channels", [4, 4, 4, 4, 10**9]),
        ("features", "config.attribute_dim", 10**9),
        ("features", "config.num_regions", 0),
        ("encoder", "config.units", [1, 1, 1, 10**7]),
        ("encoder", "config.widths", [4, 4, 4, 10**9]),
        ("encoder", "config.heads", [1, 1, 10**7]),
        ("encoder", "config.restyle.num_steps", 10**9),
        ("encoder", "config.restyle.render_size", 10**9),
        ("image-to-triplane", "config.encoder_attention", 10**7),
        ("image-to-triplane", "config.modulation_hidden", 10**9),
        ("landmarks", "config.blocks", [1, 1, 10**7]),
        ("landmarks", "config.window_units", math.nan),
        ("discriminator", "config.num_mapping_layers", 10**7),
        ("discriminator", "config.image_size", 2**30),
        ("upsampled portrait", "config.superresolution.widths", [4, 10**9]),
        ("upsampled portrait", "config.superresolution.conv_clamp", math.nan),
        ("region-generator", "config.hidden", 10**9),
        ("region-generator", "config.sampling.num", 10**9),
        ("region-generator", "config.decoder.widths", [8, 10**9]),
        ("region-generator", "config.regions", ["hair", "hair"]),
        ("portrait of regions", "config.generator.shape_layers", 10**7),
        ("portrait of regions", "config.generator.extent", math.nan),
        ("portrait of regions", "config.generator.view.radius", 0),
        ("portrait of regions", "config.only", [99]),
        ("portrait of regions", "config.shown", "x" * 10_000),
    ],
)
def test_settings_of_other_networks_out_of_range_are_refused(tmp_path, kind, where, value):
    fields, tensors = parts(kind)
    changed = with_field(fields, where, value)
    refused(kind, rewritten(tmp_path / "a.safetensors", changed, tensors))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -3e38])
def test_tensors_with_one_number_that_is_none_are_refused(tmp_path, kind, value):
    fields, tensors = parts(kind)
    for name in list(tensors)[:: max(1, len(tensors) // 4)]:
        if not tensors[name].is_floating_point() or name == "camera":
            continue
        changed = tensors[name].float().clone()
        changed.view(-1)[-1] = value
        path = rewritten(tmp_path / "a.safetensors", fields, {**tensors, name: changed})
        assert f"{name} does not hold finite numbers" in refused(kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_other_shapes_and_types_are_refused(tmp_path, kind):
    fields, tensors = parts(kind)
    name = next(name for name, t in tensors.items() if t.is_floating_point() and t.ndim)
    whole_tensor = tensors[name]
    path = tmp_path / "a.safetensors"
    less = {other: tensor for other, tensor in tensors.items() if other != name}
    assert "1 missing" in refused(kind, rewritten(path, fields, less))
    refused(kind, rewritten(path, fields, {**less, name: whole_tensor[None]}))
    refused(kind, rewritten(path, fields, {**less, name: whole_tensor[..., :0]}))
    refused(kind, rewritten(path, fields, {**tensors, "\x1b[2J": torch.zeros(1)}))
    eight_bits = whole_tensor.float().to(torch.float8_e4m3fn)
    assert "F8_E4M3" in refused(kind, rewritten(path, fields, {**less, name: eight_bits}))


def test_a_type_that_no_library_reads_is_named(tmp_path):
    table = {
        "__metadata__": {"triptych": json.dumps(parts("portrait")[0])},
        "ws": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [0, 3]},
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(with_table(json.dumps(table).encode(), b"abc"))
    assert "ws is stored as F6_E2M3" in refused("portrait", path)


def test_a_portrait_without_codes_is_refused(tmp_path):
    fields, tensors = parts("portrait")
    path = rewritten(tmp_path / "a.safetensors", fields, {**tensors, "ws": torch.zeros(1, 0, 16)})
    assert "style codes: got 0" in refused("portrait", path)


@pytest.mark.parametrize(
    "changes", [{"n16": 0.0}, {"n3": math.nan}, {"n16": math.inf}, {"n11": 3e38}]
)
def test_a_portrait_with_a_broken_camera_is_refused(tmp_path, changes):
    fields, tensors = parts("portrait")
    changed = {**tensors, "camera": camera_label(**changes)}
    refused("portrait", rewritten(tmp_path / "a.safetensors", fields, changed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", ["licence", "provenance", "config", "metrics", "class_name"])
def test_every_field_of_the_header_is_under_the_hash(tmp_path, kind, field):
    path = tmp_path / "a.safetensors"
    content = whole(kind)
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    fields = json.loads(table["__metadata__"]["triptych"])
    added = {"licence": "free", "class_name": fields["class_name"]}.get(
        field, {**fields[field], "more": 1} if isinstance(fields[field], dict) else None
    )
    if field == "class_name":
        fields, added = {**fields, "licence": ""}, added  # an empty licence is another one too
    table["__metadata__"]["triptych"] = json.dumps({**fields, field: added})
    path.write_bytes(with_table(json.dumps(table).encode(), content[8 + length :]))
    assert "damaged or was changed" in refused(kind, path)


def test_a_file_of_version_1_opens_with_a_note(tmp_path):
    fields, tensors = parts("portrait")
    path = rewritten(tmp_path / "a.safetensors", {**fields, "format_version": 1}, tensors)
    with pytest.warns(FileNote, match="format version 1, whose hash covers the tensors alone"):
        assert torch.equal(Portrait.load(path).planes, load("portrait", path).planes)


def test_a_version_set_back_without_its_hash_is_refused(tmp_path):
    fields, tensors = parts("portrait")
    changed = {"triptych": json.dumps({**fields, "format_version": 1})}
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors.torch.save(tensors, changed))
    assert "damaged or was changed" in refused("portrait", path)


def test_what_cannot_be_read_again_is_not_written(tmp_path):
    portrait = tiny_portrait()
    portrait.planes[0, 0, 0, 0, 0] = math.nan
    with pytest.raises(UserError, match="planes does not hold finite numbers"):
        portrait.save(tmp_path / "a.safetensors")
    portrait.planes[0, 0, 0, 0, 0] = 7e4
    with pytest.raises(UserError, match=r"planes do not fit into torch\.float16"):
        portrait.save(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())
    portrait.save(tmp_path / "a.safetensors", exact=True)
    assert torch.equal(Portrait.load(tmp_path / "a.safetensors").planes, portrait.planes)


def test_readers_of_the_header_alone_are_as_careful(tmp_path):
    fields, tensors = parts("generator")
    path = rewritten(tmp_path / "a.safetensors", {**fields, "config": None}, tensors)
    for read in (read_header, framing_of_model, check_is_portrait):
        with pytest.raises(UserError, match="expected an object"):
            read(path)
    rewritten(path, with_field(fields, "config.view.focal", 0), tensors)
    with pytest.raises(UserError, match="ViewConfig.focal"):
        framing_of_model(path)


@pytest.mark.thorough
def test_nothing_costs_more_than_a_gigabyte_or_seconds(tmp_path):
    here = Path(__file__).parent
    script = [str(here / "files_in_little_memory.py"), str(tmp_path), str(here.parents[1])]
    done = subprocess.run([sys.executable, *script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-3000:]
    assert done.stdout.count("\n") == 26


HOSTILE = [
    *(None, True, False, [], {}, "", "\x1b[2J", "x" * 10_000, [[]], {"a": {}}, [None]),
    *(0, -1, 1, 2, 3, 7, 4095, 65537, 2**31, 2**63, 2**64, -(2**63), HUGE, -HUGE),
    *(0.0, -0.0, 0.5, 1e-45, 1e-38, 1e38, -1e38, math.nan, math.inf, -math.inf),
    *([0], [1, 2, 3], [math.nan] * 3, [HUGE] * 3, [1e38] * 4, ["a"], [0] * 1000),
]


def places(fields: Any, above: str = "") -> list[str]:
    """Return the dotted places of all values in an object."""
    found = []
    for name, value in fields.items():
        found.append(above + name)
        if isinstance(value, dict):
            found += places(value, f"{above}{name}.")
    return found


def opened(kind: str, path: Path) -> Any:
    """Return what a file holds, or the message that refuses it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileNote)
            return load(kind, path)
    except UserError as error:
        return str(error)


def opens_or_is_refused(kind: str, path: Path) -> None:
    """Check that whatever opens can be used: a portrait shows finite pictures."""
    found = opened(kind, path)
    if isinstance(found, str):
        assert found.replace("\n", "").isprintable()
        assert len(found) < 2000
    if isinstance(found, Portrait):
        assert found.render(size=16, path="exact").image.isfinite().all()


@pytest.mark.parametrize(
    "count", [120, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_hostile_values_anywhere_in_a_header(tmp_path, count):
    rng = random.Random(count)
    for _ in range(count):
        kind = rng.choice(KINDS)
        fields, tensors = parts(kind)
        changed = with_field(fields, rng.choice(places(fields)), rng.choice(HOSTILE))
        opens_or_is_refused(kind, rewritten(tmp_path / "a.safetensors", changed, tensors))


@pytest.mark.parametrize(
    "count", [200, pytest.param(5000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_flipped_bytes(tmp_path, count):
    rng = random.Random(count)
    path = tmp_path / "a.safetensors"
    for _ in range(count):
        kind = rng.choice(KINDS)
        content = bytearray(whole(kind))
        table = int.from_bytes(content[:8], "little")
        for _ in range(rng.choice([1, 1, 2, 8])):
            end = rng.choice([8, table, table, len(content)])
            content[rng.randrange(end)] ^= 1 << rng.randrange(8)
        path.write_bytes(content[: rng.choice([len(content)] * 9 + [rng.randrange(len(content))])])
        opens_or_is_refused(kind, path)
