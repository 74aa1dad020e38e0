"""The latent of a seed, for each kind of latent that generators take."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from triptych.errors import UserError, check_whole
from triptych.models import attributes
from triptych.models.attributes import ATTRIBUTE_DIM
from triptych.seeds import LAST_AVATAR_SEED, check_seed

LatentKind = Literal["gaussian", "attributes"]
"""What a generator's latent holds: independent normal numbers, or the attributes of an avatar."""


def check_latent_seed(name: str, seed: Any, kind: LatentKind) -> None:
    """Check a user's seed for a generator.

    Args:
        name: What the message calls it.
        seed: The seed.
        kind: What the generator's latents hold.

    Raises:
        UserError: It is no whole number, or the generator has no such seed; the message says why.
    """
    if kind == "gaussian":
        check_seed(name, seed)
    else:
        check_whole(
            name, seed, 0, LAST_AVATAR_SEED, "avatar models were trained on the larger ones"
        )


def latent_from_seed(
    seed: int, z_dim: int, kind: LatentKind, *, attribute_psi: float = 1.0
) -> Tensor:
    """Return the latent z [1, z_dim] of a seed.

    Args:
        seed: Whole number of 32 bits; see `check_latent_seed` for those of users.
        z_dim: Width of the generator's latent.
        kind: "gaussian" gives the draw that EG3D's scripts make of the seed; "attributes" the
            attribute vector of the seed's avatar.
        attribute_psi: Truncation in attribute space, for avatars: 1 gives the seed's person, 0 the
            average person. (The mean style code, by contrast, need not be a person.)

    Raises:
        UserError: It is no seed, or the generator was trained with other attributes than this
            version makes.
    """
    check_seed("seed", seed)
    if kind == "gaussian":
        legacy = np.random.RandomState(seed)  # noqa: NPY002 - EG3D's own source of seeds
        return torch.from_numpy(legacy.randn(1, z_dim)).float()
    if z_dim != ATTRIBUTE_DIM:
        raise UserError(
            f"the generator expects {z_dim} avatar attributes; this triptych makes "
            f"{ATTRIBUTE_DIM}; train the generator again"
        )
    person = attributes.attributes_from_latent(attribute_psi * attributes.latent_from_seed(seed))
    return torch.from_numpy(attributes.attribute_vector(person))[None].float()


@lru_cache(maxsize=2)
def latents_of_first_seeds(count: int, z_dim: int, kind: LatentKind) -> Tensor:
    """Return the latents [count, z_dim] of the seeds from 0 up, made once; not to be changed."""
    return torch.cat([latent_from_seed(seed, z_dim, kind) for seed in range(count)])
