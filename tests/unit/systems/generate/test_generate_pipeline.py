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
