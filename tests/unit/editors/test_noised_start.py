"""Where an edit starts: timesteps of both readings of tau, start latents, guidance algebra."""

from __future__ import annotations

import pytest
import torch

from triptych.editors.noised_start import (
    counted_branches,
    guided,
    plan_timesteps,
    shared_noise,
    start_latents,
)
from triptych.errors import UserError

STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def scheduler(spacing: str = "leading"):
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        **STABLE_DIFFUSION, clip_sample=False, timestep_spacing=spacing, steps_offset=1
    )


@pytest.mark.parametrize(
    ("spacing", "first"), [("leading", 851), ("trailing", 899), ("linspace", 894)]
)
def test_skip_runs_18_of_20_steps_from_the_level_of_tau(spacing, first):
    timesteps = plan_timesteps(scheduler(spacing), 20, 0.9, "skip")
    assert len(timesteps) == 18
    assert timesteps[0] == first
    assert timesteps == sorted(timesteps, reverse=True)


def test_skip_keeps_the_stride_of_the_whole_schedule():
    ddim = scheduler()
    timesteps = plan_timesteps(ddim, 20, 0.9, "skip")
    assert {a - b for a, b in zip(timesteps, timesteps[1:], strict=False)} == {50}
    assert ddim.num_inference_steps == 20


def test_rescale_runs_all_steps_below_the_level_of_tau_with_unchanged_noise_levels():
    ddim = scheduler()
    levels = ddim.alphas_cumprod.clone()
    timesteps = plan_timesteps(ddim, 20, 0.9, "rescale")
    # 900 // 20 = 45 apart, with the schedule's offset of one.
    assert timesteps == [1 + 45 * i for i in reversed(range(20))]
    assert torch.equal(ddim.alphas_cumprod, levels)


def test_products_that_floats_miss_by_a_hair_do_not_lose_a_step():
    # 100 * 0.29 is 28.999999999999996.
    assert len(plan_timesteps(scheduler(), 100, 0.29, "skip")) == 29


@pytest.mark.parametrize(
    ("num_steps", "noise_level", "reading"),
    [
        (20, 0.0, "skip"),
        (20, 1.2, "skip"),
        (0, 0.9, "skip"),
        (5, 0.1, "skip"),
        (300, 0.2, "rescale"),
    ],
)
def test_numbers_out_of_range_are_the_users_mistake(num_steps, noise_level, reading):
    with pytest.raises(UserError, match=r"got .*; expected"):
        plan_timesteps(scheduler(), num_steps, noise_level, reading)


def test_start_carries_15_percent_of_the_picture_at_851():
    ddim = scheduler()
    z0 = torch.ones(2, 4, 3, 3)
    start = start_latents(ddim, z0, torch.zeros(1, 4, 3, 3), 851, 0.9)
    assert start.mean().item() == pytest.approx(0.1519, abs=5e-5)
    noise_only = start_latents(ddim, 0 * z0, torch.ones(1, 4, 3, 3), 851, 0.9)
    assert noise_only.mean().item() == pytest.approx(0.9884, abs=5e-5)


def test_full_noise_level_forgets_the_picture():
    noise = shared_noise((4, 3, 3), seed=5)
    start = start_latents(scheduler(), torch.full((2, 4, 3, 3), 7.0), noise, 951, 1.0)
    assert torch.equal(start, noise.expand(2, -1, -1, -1))


def test_noise_depends_on_the_seed_alone():
    state = torch.random.get_rng_state()
    first, again, other = (shared_noise((4, 2, 2), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_guidance_of_a_linear_model_is_linear_in_its_conditions():
    # A model that answers 100 * text + 10 * image + 1 has branches 111, 11 and 1.
    branches = torch.tensor([111.0, 11.0, 1.0]).repeat_interleave(2).view(6, 1, 1, 1)
    combined = guided(branches, text_guidance=3.0, image_guidance=1.5)
    assert combined.flatten().tolist() == [3 * 100 + 1.5 * 10 + 1] * 2


def test_at_image_guidance_1_the_branch_without_picture_cancels():
    assert [counted_branches(3.0, guidance) for guidance in (0.5, 1.0, 1.5)] == [3, 2, 3]
    branches = torch.tensor([111.0, 11.0]).repeat_interleave(2).view(4, 1, 1, 1)
    strong = guided(branches, text_guidance=3.0, image_guidance=1.0)
    assert strong.flatten().tolist() == [3 * 100 + 10 + 1] * 2


def test_without_guidance_the_prompt_is_the_only_branch():
    assert [counted_branches(1.0, guidance) for guidance in (0.5, 1.0, 1.5)] == [3, 1, 3]
    alone = torch.tensor([111.0, 112.0]).view(2, 1, 1, 1)
    assert torch.equal(guided(alone, text_guidance=1.0, image_guidance=1.0), alone)
