"""The shape that training starts from: the initial network is fitted to a sphere."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from triptych.systems.compose.generator import RegionGenerator
from triptych.systems.compose.losses import sphere_target
from triptych.systems.compose.region_network import FilmLayer

PUBLISHED_STEPS, PUBLISHED_RATE = 10_000, 2e-5
_POINTS = 4096


def fit_sphere(
    generator: RegionGenerator,
    *,
    steps: int = PUBLISHED_STEPS,
    rate: float = PUBLISHED_RATE,
    rng: torch.Generator,
) -> float:
    """Fit the initial network to a sphere of half the volume's depth, and return the distance.

    As published the mapping learns along, by Adam on the L1 distance; points fill the volume.

    Args:
        generator: Changed in place.
        steps: Steps of Adam.
        rate: Its learning rate.
        rng: Source of latents and points.
    """
    modules: Iterable[nn.Module] = (generator.renderer.init_network, generator.style)
    parameters = [parameter for module in modules for parameter in module.parameters()]
    optimiser = torch.optim.Adam(parameters, rate)
    distance = torch.zeros(())
    for _ in range(steps):
        distance = distance_to_sphere(generator, rng)
        optimiser.zero_grad()
        distance.backward()
        optimiser.step()
    optimiser.zero_grad()
    return float(distance.detach())


def distance_to_sphere(generator: RegionGenerator, rng: torch.Generator) -> Tensor:
    """Return the mean distance [] between the initial shape and a sphere, at random points.

    Args:
        generator: Gradients reach its mapping and its initial network.
        rng: Source of a latent and points.
    """
    config, device = generator.config, generator.renderer.sigmoid_beta.device
    z = torch.randn(1, config.style_dim, generator=rng).to(device)
    if config.latent_kind == "attributes":
        z = torch.zeros_like(z)  # the background, which steers this shape, has no attributes
    points = (torch.rand(1, _POINTS, 3, generator=rng) * 2 - 1).to(device)
    codes = generator.codes_of(generator.mapping(z))
    found = generator.renderer.initial_sdf(points, codes)
    return (found - sphere_target(points * config.extent, config.extent)).abs().mean()


def flatten_residuals(generator: RegionGenerator, share: float = 0.1) -> None:
    """Let regions start with small parts of the distance, so that the first shape is seen."""
    with torch.no_grad():
        for network in generator.renderer.networks():
            network.sdf_linear.weight.mul_(share)
            network.sdf_linear.bias.zero_()


@torch.no_grad()
def hold_first_shape(generator: RegionGenerator) -> None:
    """Let the first shape stay what it is for the background's codes of now, whatever they become.

    Nothing is learned through it, so a mapping that goes on learning would move it unseen.
    """
    network = generator.renderer.init_network
    code = generator.codes_of_attributes(torch.zeros(1, generator.config.style_dim))[:, 0]
    for layer in network.shape_linears, network.texture_linears:
        for film in layer:
            assert isinstance(film, FilmLayer)
            for steered in (film.gamma, film.beta):
                steered.bias.copy_(steered(code.to(steered.bias))[0])
                steered.weight.zero_()


def softness(generator: RegionGenerator, beta: float) -> Tensor:
    """Set how soft surfaces are, in camera distances, and return the parameter."""
    with torch.no_grad():
        generator.renderer.sigmoid_beta.fill_(beta)
    return generator.renderer.sigmoid_beta
