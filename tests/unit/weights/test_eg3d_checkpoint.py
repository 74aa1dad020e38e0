"""EG3D's checkpoints, written as EG3D and derived projects write them, come back exactly."""

from __future__ import annotations

import csv
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from eg3d_pickles import (
    CORRECTED_PLANES,
    LEGACY_PLANES,
    EG3DWriter,
    derived_file,
    eg3d_pickle,
    tiny_discriminator,
    tiny_eg3d,
    tiny_eg3d_config,
)

from triptych.camera import look_at_camera
from triptych.errors import UserError
from triptych.models.eg3d import (
    OFFICIAL_CONFIGS,
    MappingConfig,
    TriPlaneGenerator,
    ViewConfig,
    ffhq512_128_config,
)
from triptych.nn.superresolution import SuperResolutionConfig
from triptych.portrait import TriPlanePortrait
from triptych.render.renderer import RenderConfig
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.weights import eg3d_checkpoint, eg3d_importer, load_generator, save_converted
from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
from triptych.weights.eg3d_importer import converted
from triptych.weights.loading import load_discriminator
from triptych.weights.safetensors_file import read_header
from triptych.weights.tensor_fit import TensorsDoNotFit, shapes_of


def write_pickle(path: Path, ours: TriPlaneGenerator, **options) -> Path:
    path.write_bytes(eg3d_pickle(ours, **options))
    return path


def write_derived(path: Path, ours: TriPlaneGenerator, newer: bool = True, **changes) -> Path:
    torch.save(derived_file(ours, **changes), path, _use_new_zipfile_serialization=newer)
    return path


def assert_same(module: torch.nn.Module, expected: torch.nn.Module) -> None:
    found, wanted = module.state_dict(), expected.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def pictures(generator: TriPlaneGenerator) -> torch.Tensor:
    z = torch.randn(2, generator.config.z_dim, generator=torch.Generator().manual_seed(1))
    camera = look_at_camera(torch.tensor([0.3, -0.2]), 0.1)
    return generator.synthesis(generator.mapping(z, truncation_psi=0.7), camera).image


@pytest.mark.parametrize(
    ("protocol", "old"), [*((protocol, False) for protocol in range(6)), (4, True), (2, True)]
)
def test_a_network_pickle_renders_the_same_after_conversion(tmp_path, protocol, old):
    ours = tiny_eg3d()
    path = write_pickle(tmp_path / "a.pkl", ours, protocol=protocol, numpy_1=old, torch_1=old)
    checkpoint = open_eg3d_checkpoint(path)
    state = checkpoint.file.content["G_ema"].arguments[0]["state"]
    assert ("_non_persistent_buffers_set" in state) != old
    assert checkpoint.config == ours.config
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    loaded = load_generator(tmp_path / "a.safetensors")
    assert loaded.config == ours.config
    assert_same(loaded, ours)
    assert torch.equal(pictures(loaded), pictures(ours))


@pytest.mark.parametrize("newer", [True, False])
def test_a_derived_projects_file_renders_the_same_after_conversion(tmp_path, newer):
    ours = tiny_eg3d()
    path = write_derived(tmp_path / "a.pth", ours, newer, plane_axes=torch.tensor(LEGACY_PLANES))
    checkpoint = open_eg3d_checkpoint(path)
    assert (checkpoint.config, checkpoint.remarks) == (ours.config, ())
    assert torch.equal(pictures(checkpoint.build()), pictures(ours))


CONFIGS = {
    "cars": tiny_eg3d_config(
        mapping=MappingConfig(embed_features=6, layer_features=10, zero_label=True),
        rendering=RenderConfig(
            num_coarse=8, num_fine=0, ray_start=0.1, ray_end=2.6, background=1.0
        ),
        box_size=1.6,
        view=ViewConfig(1.7, (0.0, 0.0, 0.0), 1.7074),
    ),
    "automatic limits": tiny_eg3d_config(
        rendering=RenderConfig(
            num_coarse=6, num_fine=5, ray_start="auto", ray_end="auto", disparity_sampling=True
        ),
    ),
    "float32 head": tiny_eg3d_config(
        superresolution=SuperResolutionConfig(
            "2X", (4, 4), antialias=False, noise_mode="const", conv_clamp=None
        )
    ),
    "unconditional": tiny_eg3d_config(label_dim=0, mapping=MappingConfig(layer_features=10)),
    "another head": tiny_eg3d_config(
        image_size=256, superresolution=SuperResolutionConfig("4X", (4, 2))
    ),
    "corrected planes": tiny_eg3d_config(plane_axes="corrected"),
    "other label scale": tiny_eg3d_config(mapping=MappingConfig(num_layers=3, label_scale=0.5)),
    "another view": tiny_eg3d_config(view=ViewConfig(2.0, (0.1, 0.0, 0.3))),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_is_recovered(tmp_path, name):
    ours = tiny_eg3d(CONFIGS[name])
    planes = CORRECTED_PLANES if ours.config.plane_axes == "corrected" else LEGACY_PLANES
    path = write_pickle(tmp_path / "a.pkl", ours, planes=planes)
    checkpoint = open_eg3d_checkpoint(path)
    assert checkpoint.config == ours.config
    assert_same(checkpoint.build(), ours)


def test_attributes_win_over_the_constructors_arguments(tmp_path):
    """Training and scripts change both after construction; the file has the last state."""
    ours = tiny_eg3d()
    writer = EG3DWriter()
    options = {**derived_file(ours)["rendering_kwargs"], "depth_resolution": 96}
    snapshot = {
        "G_ema": writer.generator(ours, rendering_kwargs=options, neural_rendering_resolution=90)
    }
    (tmp_path / "a.pkl").write_bytes(writer.dumps(snapshot))
    config = open_eg3d_checkpoint(tmp_path / "a.pkl").config
    assert (config.rendering.num_coarse, config.render_size) == (96, 90)


def test_the_other_networks_on_request(tmp_path):
    ours = tiny_eg3d()
    path = write_pickle(tmp_path / "a.pkl", ours)
    averaged, last = (open_eg3d_checkpoint(path, name).build() for name in ("G_ema", "G"))
    difference = last.backbone.mapping.w_avg - averaged.backbone.mapping.w_avg
    assert torch.allclose(difference, torch.ones(16), atol=1e-5)
    checkpoint = open_eg3d_checkpoint(path, "D")
    assert checkpoint.class_name == "DualDiscriminator"
    save_converted(converted(checkpoint), tmp_path / "d.safetensors")
    assert_same(load_discriminator(tmp_path / "d.safetensors"), tiny_discriminator())


def test_a_network_that_is_not_there(tmp_path):
    writer = EG3DWriter()
    (tmp_path / "a.pkl").write_bytes(writer.dumps({"G_ema": writer.generator(tiny_eg3d())}))
    with pytest.raises(UserError, match="has no D of EG3D; it holds G_ema: TriPlaneGenerator"):
        open_eg3d_checkpoint(tmp_path / "a.pkl", "D")
    with pytest.raises(UserError, match="got 'H'; expected G_ema, G or D"):
        open_eg3d_checkpoint(tmp_path / "a.pkl", "H")


def test_a_file_that_is_nothing_but_the_generator(tmp_path):
    writer, ours = EG3DWriter(), tiny_eg3d()
    (tmp_path / "a.pkl").write_bytes(writer.dumps(writer.generator(ours)))
    assert_same(open_eg3d_checkpoint(tmp_path / "a.pkl").build(), ours)
    nested = derived_file(ours)
    table = nested.pop("G_ema")
    torch.save({"G_ema": {**nested, "state_dict": table}}, tmp_path / "b.pt")
    assert_same(open_eg3d_checkpoint(tmp_path / "b.pt").build(), ours)
    torch.save({**nested, "state_dict": table}, tmp_path / "c.pt")
    assert_same(open_eg3d_checkpoint(tmp_path / "c.pt").build(), ours)


def test_positional_arguments_have_their_names(tmp_path):
    ours = tiny_eg3d()
    named = derived_file(ours)["init_kwargs"]
    first = [named.pop(name) for name in ("z_dim", "c_dim", "w_dim")]
    path = write_derived(tmp_path / "a.pt", ours, init_args=tuple(first), init_kwargs=named)
    assert open_eg3d_checkpoint(path).config == ours.config


def test_what_the_file_does_not_say_is_assumed_and_said(tmp_path):
    ours = tiny_eg3d()
    path = write_derived(tmp_path / "a.pt", ours, neural_rendering_resolution=None)
    checkpoint = open_eg3d_checkpoint(path)
    assert (checkpoint.config.render_size, checkpoint.config.plane_axes) == (64, "legacy")
    assert [remark.split(":")[0] for remark in checkpoint.remarks] == [
        "the file does not say at which size rays are cast",
        "the file does not say which coordinates its planes sample",
    ]
    chosen = open_eg3d_checkpoint(path, plane_axes="corrected")
    assert chosen.config.plane_axes == "corrected"
    stored = write_derived(tmp_path / "b.pt", ours, plane_axes=torch.tensor(LEGACY_PLANES))
    with pytest.raises(UserError, match="plane axes are legacy; leave out --plane-axes"):
        open_eg3d_checkpoint(stored, plane_axes="corrected")
    with pytest.raises(UserError, match="got 'odd'; expected legacy or corrected"):
        open_eg3d_checkpoint(path, plane_axes="odd")


def test_tensors_without_settings_need_the_name_of_a_model_that_has_them(tmp_path, monkeypatch):
    ours = tiny_eg3d()
    torch.save({"G_ema": ours.state_dict()}, tmp_path / "a.pth")
    torch.save(ours.state_dict(), tmp_path / "b.pth")
    monkeypatch.setitem(OFFICIAL_CONFIGS, "tiny", lambda: ours.config)
    for name in ("a.pth", "b.pth"):
        with pytest.raises(UserError, match="no settings; .* --settings-of NAME, one of ffhq512"):
            open_eg3d_checkpoint(tmp_path / name)
        checkpoint = open_eg3d_checkpoint(tmp_path / name, settings_of="tiny")
        assert checkpoint.remarks == ("the file has no settings; those of tiny taken",)
        assert_same(checkpoint.build(), ours)
    with pytest.raises(UserError, match="no official model 'cats'"):
        open_eg3d_checkpoint(tmp_path / "a.pth", settings_of="cats")
    path = write_derived(tmp_path / "c.pth", ours)
    with pytest.raises(UserError, match="its own settings; leave out --settings-of"):
        open_eg3d_checkpoint(path, settings_of="tiny")
    path = write_derived(tmp_path / "d.pth", ours, D=tiny_discriminator().state_dict())
    with pytest.raises(UserError, match="D is not understood: it has tensors but no settings"):
        open_eg3d_checkpoint(path, "D")
    with pytest.raises(TensorsDoNotFit):
        open_eg3d_checkpoint(path, "D", settings_of="tiny")


def test_settings_that_do_not_match_the_weights_are_one_table(tmp_path):
    ours = tiny_eg3d()
    named = derived_file(ours)["init_kwargs"]
    path = write_derived(
        tmp_path / "a.pt",
        ours,
        init_kwargs={**named, "z_dim": 9, "mapping_kwargs": {"num_layers": 3}},
    )
    with pytest.raises(TensorsDoNotFit) as caught:
        open_eg3d_checkpoint(path)
    message = str(caught.value)
    assert f"the tensors of {path} (G_ema) do not fit a TriPlaneGenerator" in message
    assert "2 missing: backbone.mapping.fc2.bias, backbone.mapping.fc2.weight" in message
    assert "backbone.mapping.fc0.weight is [10, 14], not [16, 25]" in message
    lines = {line.name: line.cells() for line in caught.value.misfits}
    assert lines["backbone.mapping.fc2.bias"] == (
        ("missing", "backbone.mapping.fc2.bias", "[16]", "-")
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"init_kwargs": {}}, "constructor arguments lack 'img_channels'|lack"),
        ({"init_kwargs": 3}, "arguments are not written as EG3D writes them"),
        ({"init_args": (1,) * 10}, "10 positional arguments"),
        ({"rendering_kwargs": {"box_warp": 1}}, "rendering options lack 'superresolution_module'"),
        ({"rendering_kwargs": [1]}, "have a list for 'rendering_kwargs'; expected a table"),
        ({"neural_rendering_resolution": "big"}, "have 'big' for 'neural_rendering_resolution'"),
        ({"plane_axes": [[1]]}, "its plane axes are a list"),
        ({"plane_axes": torch.zeros(3, 3, 3)}, "not three choices of coordinates"),
        ({"plane_axes": torch.zeros(3, 3)}, "its plane axes are a StoredTensor"),
        (
            {"plane_axes": torch.eye(3).expand(3, 3, 3).contiguous()},
            "sample the coordinates xy xy xy; known are",
        ),
    ],
)
def test_settings_that_are_not_understood(tmp_path, changes, said):
    path = write_derived(tmp_path / "a.pt", tiny_eg3d(), **changes)
    with pytest.raises(UserError, match=said):
        open_eg3d_checkpoint(path)


def test_plane_axes_may_be_an_array(tmp_path):
    ours = tiny_eg3d(tiny_eg3d_config(plane_axes="corrected"))
    axes = np.array(CORRECTED_PLANES, dtype=np.float32)
    path = write_derived(tmp_path / "a.pt", ours, plane_axes=axes)
    assert open_eg3d_checkpoint(path).config.plane_axes == "corrected"


def test_numbers_that_are_not_finite_are_damage(tmp_path):
    ours = tiny_eg3d()
    ours.decoder.net[0].bias[3] = float("nan")
    checkpoint = open_eg3d_checkpoint(write_derived(tmp_path / "a.pt", ours))
    with pytest.raises(UserError, match="decoder.net.0.bias does not hold finite numbers"):
        checkpoint.tensors()
    whole = derived_file(tiny_eg3d())
    whole["G_ema"]["backbone.mapping.w_avg"] = torch.zeros(16, dtype=torch.int64)
    torch.save(whole, tmp_path / "b.pt")
    with pytest.raises(
        UserError, match="backbone.mapping.w_avg does not hold numbers of the right"
    ):
        open_eg3d_checkpoint(tmp_path / "b.pt").tensors()


def test_one_storage_shown_many_times_does_not_unfold(tmp_path):
    """Each tensor alone lies within its storage; together they are more than the file."""
    config = tiny_eg3d_config(mapping=MappingConfig(num_layers=40, layer_features=512))
    generator = TriPlaneGenerator(config).requires_grad_(False)
    table = dict(generator.state_dict())
    shared = torch.zeros(512, 512)
    for index in range(1, 39):
        table[f"backbone.mapping.fc{index}.weight"] = shared
    path = tmp_path / "a.pt"
    torch.save(derived_file(generator, G_ema=table), path)
    assert path.stat().st_size < 4e6
    checkpoint = open_eg3d_checkpoint(path)
    with pytest.raises(UserError, match="unfolds to"):
        checkpoint.tensors()


def test_half_precision_stays_half_and_loads_as_single(tmp_path):
    ours = tiny_eg3d()
    table = {name: tensor.half() for name, tensor in ours.state_dict().items()}
    checkpoint = open_eg3d_checkpoint(write_derived(tmp_path / "a.pt", ours, G_ema=table))
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    loaded = load_generator(tmp_path / "a.safetensors").state_dict()
    assert all(torch.equal(loaded[name], table[name].float()) for name in table)


def test_the_converted_file_says_where_it_comes_from(tmp_path):
    path = write_pickle(tmp_path / "a.pkl", tiny_eg3d())
    checkpoint = open_eg3d_checkpoint(path)
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    header = read_header(tmp_path / "a.safetensors")
    assert "NVIDIA" in header.licence
    record = header.provenance
    assert (record["converted_from"], record["network"]) == ("a.pkl", "G_ema")
    assert record["sha256"] == checkpoint.file.sha256
    assert re.fullmatch("[0-9a-f]{64}", record["sha256"])
    assert record["label_std"] == pytest.approx(list(np.linspace(0, 1, 25)))
    assert record["sources"]["TriPlaneGenerator"]["characters"] == 600
    assert "official" not in record


def test_a_published_hash_is_recognised(tmp_path, monkeypatch):
    ours = tiny_eg3d()
    path = write_pickle(tmp_path / "a.pkl", ours)
    checkpoint = open_eg3d_checkpoint(path)
    published = replace(eg3d_importer.EG3D_FILES["ffhq512-128"], sha256=checkpoint.file.sha256)
    monkeypatch.setitem(eg3d_importer.EG3D_FILES, "ffhq512-128", published)
    lines = converted(checkpoint).report
    assert ("sha256", f"{checkpoint.file.sha256} (ffhq512-128)") in lines
    assert ("remark", "its settings differ from this version's preset of ffhq512-128") in lines
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    assert read_header(tmp_path / "a.safetensors").provenance["official"] == "ffhq512-128"


def test_the_report_says_what_was_found(tmp_path):
    ours = tiny_eg3d(CONFIGS["cars"])
    lines = converted(open_eg3d_checkpoint(write_pickle(tmp_path / "a.pkl", ours))).report
    said = "\n".join(f"{what}: {value}" for what, value in lines)
    numbers = sum(tensor.numel() for tensor in ours.state_dict().values())
    for expected in (
        f"network: G_ema: TriPlaneGenerator, {numbers:,} numbers",
        "latent: z 8, w 16, 2 mapping layers",
        "conditioning: none: labels are zeroed",
        "planes: 3 x 4 x 16 x 16, legacy axes, box 1.6",
        "rays: 12 x 12, 8 + 0 samples from 0.1 to 2.6, background 1",
        "image: 128 pixels by super-resolution 2X",
        "camera: radius 1.7, target [0.0, 0.0, 0.0]",
        "remark: 600 characters of source text are stored in it; not run",
    ):
        assert expected in said


def test_names_of_other_programs_are_reported_not_run(tmp_path):
    class Odd:
        def __reduce__(self):
            return odd, (1,)

    def odd(number):
        raise AssertionError("ran")

    odd.__module__, odd.__qualname__ = "triptych_odd", "odd"
    writer = EG3DWriter()
    stand_in = ModuleType("triptych_odd")
    stand_in.odd = odd
    sys.modules["triptych_odd"] = stand_in
    try:
        content = writer.dumps({"G_ema": writer.generator(tiny_eg3d()), "extra": Odd()})
    finally:
        del sys.modules["triptych_odd"]
    (tmp_path / "a.pkl").write_bytes(content)
    lines = converted(open_eg3d_checkpoint(tmp_path / "a.pkl")).report
    assert ("remark", "the file also names triptych_odd.odd; nothing of it was run") in lines


def test_a_torch_file_may_name_nothing_but_data(tmp_path):
    torch.save(derived_file(tiny_eg3d(), extra=torch.nn.Linear(1, 1)), tmp_path / "a.pt")
    with pytest.raises(UserError, match="names torch.nn.modules.linear.Linear, which a file of"):
        open_eg3d_checkpoint(tmp_path / "a.pt")


def test_a_converted_generator_makes_portraits(tmp_path):
    ours = tiny_eg3d()
    checkpoint = open_eg3d_checkpoint(write_pickle(tmp_path / "a.pkl", ours))
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    portrait = GeneratePipeline.from_pretrained(tmp_path / "a.safetensors")(3, truncation_psi=0.7)
    portrait.save(tmp_path / "portrait.safetensors")
    again = TriPlanePortrait.load(tmp_path / "portrait.safetensors")
    expected = GeneratePipeline(ours)(3, truncation_psi=0.7)
    camera = ours.config.view.camera(0.2)
    assert torch.equal(portrait.render(camera).image, expected.render(camera).image)
    assert again.config == ours.config


def official_table(path: Path) -> dict[str, tuple[int, ...]]:
    with open(path, encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {row["key"]: tuple(json.loads(row["shape"])) for row in rows}


def test_the_full_size_table_is_the_official_one(shared):
    expected = official_table(shared / "reference" / "eg3d_state_dict.tsv")
    expected.pop(eg3d_checkpoint.LABEL_SPREAD)
    assert shapes_of(lambda: TriPlaneGenerator(ffhq512_128_config())) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ffhq512-128", "shapenetcars128-64"])
def test_a_full_size_network_pickle(tmp_path, name):
    """Structure, settings and every number at the published size."""
    ours = TriPlaneGenerator(OFFICIAL_CONFIGS[name]()).eval().requires_grad_(False)
    writer = EG3DWriter()
    snapshot = {"G": None, "D": None, "G_ema": writer.generator(ours)}
    (tmp_path / "a.pkl").write_bytes(writer.dumps(snapshot))
    checkpoint = open_eg3d_checkpoint(tmp_path / "a.pkl")
    assert checkpoint.config == ours.config
    save_converted(converted(checkpoint), tmp_path / "a.safetensors")
    assert_same(load_generator(tmp_path / "a.safetensors"), ours)
