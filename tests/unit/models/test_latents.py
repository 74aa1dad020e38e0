"""Seeds: which ones generators take, and what they draw from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from toy_portraits import tiny_config, tiny_generator

from triptych.cli.options import parse_seeds
from triptych.errors import UserError
from triptych.models.latents import check_latent_seed, latent_from_seed
from triptych.seeds import LAST_SEED
from triptych.systems.generate.pipeline import GeneratePipeline


def test_official_generators_draw_any_seed_of_32_bits_as_eg3d_does():
    config = dataclasses.replace(tiny_config(), latent_kind="gaussian")
    generator = tiny_generator(config)
    pipeline = GeneratePipeline(generator)
    for seed in (123456, 3029268929, LAST_SEED):
        z = np.random.RandomState(seed).randn(1, config.z_dim)  # noqa: NPY002 - EG3D's own source
        expected = generator.mapping(torch.from_numpy(z).float(), truncation_psi=0.7)
        portrait = pipeline(seed, truncation_psi=0.7)
        assert torch.equal(portrait.ws, expected)
        assert portrait.provenance["seed"] == seed
    with pytest.raises(UserError, match=r"got 4294967296; .* 0 to 4294967295 \(seeds have 32"):
        pipeline(LAST_SEED + 1)


def test_the_avatar_generator_names_its_own_limit_and_why():
    pipeline = GeneratePipeline(tiny_generator())
    assert pipeline(99_999).provenance["seed"] == 99_999
    with pytest.raises(UserError, match=r"got 123456; .* to 99999 \(avatar models were trained on"):
        pipeline(123456)


@pytest.mark.parametrize("seed", [np.int64(7), np.uint8(7), 7])
def test_numbers_of_numpy_are_seeds_too(seed):
    portrait = GeneratePipeline(tiny_generator())(seed, truncation_psi=np.float32(0.5))
    assert portrait.provenance["seed"] == 7
    assert type(portrait.provenance["seed"]) is int


NO_SEEDS = (7.0, "7", True, None, -1, 10**5000, torch.tensor([1, 2]), [7])


@pytest.mark.parametrize("seed", NO_SEEDS, ids=lambda seed: type(seed).__name__)
@pytest.mark.parametrize("kind", ["gaussian", "attributes"])
def test_what_is_no_seed_draws_nothing(seed, kind):
    with pytest.raises(UserError, match="seed: got .*; expected a whole number") as refused:
        latent_from_seed(seed, 4, kind)
    assert "\n" not in str(refused.value)


def numbers_of_any_size(rng: np.random.Generator, count: int) -> list[int]:
    """Draw whole numbers of 1 to 80 bits, of both signs."""
    bits = rng.integers(1, 80, size=count)
    return [
        int(rng.choice((1, 1, -1))) * (int.from_bytes(rng.bytes(10), "big") >> 80 - b)
        for b in bits.tolist()
    ]


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_number_is_a_seed_exactly_if_it_is_in_range(count):
    rng = np.random.default_rng(5)
    for kind, last in (("gaussian", 2**32 - 1), ("attributes", 99_999)):
        for number in numbers_of_any_size(rng, count):
            try:
                check_latent_seed("seed", number, kind)
                taken = True
            except UserError:
                taken = False
            assert taken == (0 <= number <= last)


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_any_list_of_seeds_is_read_or_refused(count):
    rng = np.random.default_rng(6)
    read = 0
    for _ in range(count):
        text = "".join(rng.choice(list("0123456789--,, .x\u0663"), size=rng.integers(0, 16)))
        try:
            seeds = parse_seeds(text)
        except UserError:
            continue
        read += 1
        assert seeds == list(dict.fromkeys(seeds))
        assert set(",".join(map(str, seeds))) <= set("0123456789,")
    assert read > count / 20
    with pytest.raises(UserError, match="seeds: got '999"):
        parse_seeds("9" * 5000)
