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


def test_a_seed_is_always_the_same_head_and_another_seed_another(toy_generator):
    pipeline = GeneratePipeline(toy_generator, "toy")
    first, again, other = pipeline(7), pipeline(7), pipeline(8)
    assert torch.equal(first.planes, again.planes)
    assert not torch.equal(first.planes, other.planes)
    assert first.provenance == {
        "pipeline": "generate",
        "model": "toy",
        "seed": 7,
        "truncation_psi": 1.0,
    }


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


@pytest.mark.parametrize(("seed", "psi"), [(-1, 1.0), (100_000, 1.0), (0, -0.1), (0, 2.0)])
def test_seeds_and_truncation_have_ranges(toy_generator, seed, psi):
    with pytest.raises(UserError, match="got"):
        GeneratePipeline(toy_generator)(seed, truncation_psi=psi)


def test_the_public_name_takes_a_file(tmp_path, toy_generator):
    save_module(tmp_path / "toy.safetensors", toy_generator, dtype=None)
    pipeline = triptych.GeneratePipeline.from_pretrained(tmp_path / "toy.safetensors")
    assert torch.equal(pipeline(3).planes, GeneratePipeline(toy_generator)(3).planes)
