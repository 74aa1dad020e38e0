"""The autoencoder's start: exact space-to-depth, a whitened code, pictures from step 0."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from triptych.metrics.image_metrics import psnr
from triptych.training.editor.networks import EditorNetworksConfig, build_vae
from triptych.training.editor.patch_pca import (
    fit_patch_code,
    space_to_depth,
    start_as_patch_code,
)


def smooth_pictures(count: int, size: int = 32) -> torch.Tensor:
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(2)) * 2 - 1
    return F.interpolate(coarse, (size, size), mode="bicubic", align_corners=True).clamp(-1, 1)


def test_space_to_depth_puts_the_sub_pixel_outermost():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    parts = space_to_depth(image)
    assert parts.shape == (1, 4, 2, 2)
    assert parts[0, :, 0, 0].tolist() == [0, 1, 4, 5]
    assert parts[0, 3].tolist() == [[5, 7], [13, 15]]


def test_code_is_white_and_keeps_most_of_smooth_pictures():
    images = smooth_pictures(40)
    code = fit_patch_code(images, 4)
    assert torch.allclose(code.basis.T @ code.basis, torch.eye(4), atol=1e-4)
    assert 0.9 < code.share <= 1


def test_a_started_autoencoder_encodes_by_the_code_and_reconstructs():
    torch.manual_seed(0)
    images = smooth_pictures(40)
    vae = build_vae(EditorNetworksConfig(image_size=32))
    made = vae.decode(vae.encode(images).latents).sample
    untrained = psnr(made.clamp(-1, 1), images).mean()
    code = fit_patch_code(images, 4)
    start_as_patch_code(vae, code)
    with torch.no_grad():
        latents = vae.encode(images).latents
        made = vae.decode(latents).sample
    patches = space_to_depth(space_to_depth((images + 1) / 2))
    rows = patches.permute(0, 2, 3, 1) - code.mean
    expected = (rows @ code.basis / code.deviation).permute(0, 3, 1, 2)
    # The other weights are damped, not zero: they are what training starts from.
    assert (latents - expected).square().mean().sqrt() < 0.25
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(4), atol=0.25)
    reached = psnr(made.clamp(-1, 1), images).mean()
    assert reached > 18
    assert reached > untrained + 5


def test_psnr_of_a_known_error():
    images = torch.zeros(2, 3, 4, 4)
    # An error of 0.2 on a range of 2: -20 log10(0.1) = 20 dB.
    assert torch.allclose(psnr((images + 0.2).clamp(-1, 1), images), torch.tensor(20.0), atol=1e-4)
