"""Seeds become heads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from toy_portraits import tiny_config, tiny_generator

import triptych
from triptych.errors import UserError
from triptych.models.attributes import ATTRIBUTE_DIM, attribute_vector_from_seed
from triptych.models.eg3d import MappingConfig
from triptych.models.latents import latent_from_seed
from triptych.models.style_strength import StyleStrength
from triptych.models.styled_layers import styled_layers
from triptych.portrait.style_pack import StyledModel, StylePack
from triptych.runs.style_source import StyleSource
from triptych.systems.generate.job import GenerateJob
from triptych.systems.generate.pipeline import GeneratePipeline
from triptych.weights import save_module


def test_avatars_are_their_seeds_attributes(toy_generator):
    expected = toy_generator.mapping(torch.from_numpy(attribute_vector_from_seed(7))[None])
    assert torch.equal(GeneratePipeline(toy_generator).style_codes(7), expected)


def test_without_truncation_left_everyone_is_the_average_person(toy_generator):
    pipeline = GeneratePipeline(toy_generator)
    nobody = [pipeline.style_codes(seed, truncation_psi=0.0) for seed in (1, 2)]
    assert torch.equal(*nobody)
    half = pipeline.style_codes(1, truncation_psi=0.5)
    assert not torch.equal(half, pipeline.style_codes(1))


def test_normalised_latents_are_those_of_eg3d_scripts():
    expected = np.random.RandomState(5).randn(1, 512)  # noqa: NPY002 - what EG3D draws
    drawn = latent_from_seed(5, 512, "gaussian")
    assert torch.equal(drawn, torch.from_numpy(expected).float())


def test_generators_with_normalised_latents_truncate_their_codes():
    config = dataclasses.replace(
        tiny_config(), z_dim=8, latent_kind="gaussian", mapping=MappingConfig(num_layers=1)
    )
    generator = tiny_generator(config)
    pipeline = GeneratePipeline(generator)
    z = latent_from_seed(3, 8, "gaussian")
    expected = generator.mapping(z, truncation_psi=0.5)
    assert torch.equal(pipeline.style_codes(3, truncation_psi=0.5), expected)


def test_a_generator_of_other_attributes_is_refused():
    generator = tiny_generator(dataclasses.replace(tiny_config(), z_dim=ATTRIBUTE_DIM + 1))
    with pytest.raises(UserError, match=f"this triptych makes {ATTRIBUTE_DIM}"):
        GeneratePipeline(generator)(3)


def test_the_public_name_takes_a_file(tmp_path, toy_generator):
    save_module(tmp_path / "toy.safetensors", toy_generator, dtype=None)
    pipeline = triptych.GeneratePipeline.from_pretrained(tmp_path / "toy.safetensors")
    assert torch.equal(pipeline(3).planes, GeneratePipeline(toy_generator)(3).planes)


def test_heads_wear_a_style(toy_generator):
    """Of the same shape and codes; at strength 0 the very same planes."""
    factors = {
        place.name: torch.full([place.layer.affine.weight.shape[0]], 1.5)
        for place in styled_layers(toy_generator)
    }
    style = StylePack(StyledModel("toy", ""), factors, licence="mine")
    pipeline = GeneratePipeline(toy_generator, "toy")
    plain, styled = pipeline(4), pipeline(4, style=style)
    assert torch.equal(plain.ws, styled.ws)
    assert not torch.equal(plain.planes, styled.planes)
    assert styled.provenance["style"]["licence"] == "mine"
    assert styled.provenance["strength"] == {"geometry": 1.0, "appearance": 1.0}
    untouched = pipeline(4, style=style, strength=StyleStrength.chosen(0.0))
    assert torch.equal(untouched.planes, plain.planes)
    assert torch.equal(pipeline(4, style=style).planes, styled.planes)
    assert "style" not in plain.provenance


def test_a_run_in_a_style(tmp_path, toy_generator):
    save_module(tmp_path / "toy.safetensors", toy_generator, dtype=None)
    job = GenerateJob((3,), str(tmp_path / "toy.safetensors"), size=16)
    model = job.pipeline().model
    factors = {
        place.name: torch.full([place.layer.affine.weight.shape[0]], 0.5)
        for place in styled_layers(toy_generator)
    }
    StylePack(model, factors).save(tmp_path / "style.safetensors")
    styled = dataclasses.replace(job, style=StyleSource(tmp_path / "style.safetensors"))
    styled.run(tmp_path / "out")
    portrait = triptych.Portrait.load(tmp_path / "out" / "seed00003.safetensors")
    assert "style" in portrait.provenance
    foreign = StyledModel("other", "2" * 64)
    StylePack(foreign, factors).save(tmp_path / "foreign.safetensors")
    for wrong, said in (
        ("foreign.safetensors", "made for the generator 'other'"),
        ("painting.txt", "expected a style pack"),
        ("painting.png", "there is no picture"),
        ("toy.safetensors", "expected a StylePack"),
    ):
        with pytest.raises(UserError, match=said):
            dataclasses.replace(job, style=StyleSource(tmp_path / wrong)).run(tmp_path / "no")
        assert not (tmp_path / "no").exists()
    with pytest.raises(UserError, match="needs a style"):
        dataclasses.replace(job, strength=StyleStrength(0.5, 0.5))
    with pytest.raises(UserError, match="wears no style"):
        dataclasses.replace(styled, refine=True)
