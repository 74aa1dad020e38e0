"""Avatar shards made by hand, for recipes that learn from known cameras and depth."""

from __future__ import annotations

import numpy as np

from triptych.avatars.sets.shards import ShardPlan, random_cameras
from triptych.models.attributes import ATTRIBUTE_DIM

SIZE, VARIANTS = 32, ("original", "jade", "elf")


def toy_head(seed: int) -> dict[str, np.ndarray]:
    """Return a head whose pictures are one grey per variant and whose right half is solid."""
    rng = np.random.default_rng(seed)
    rgb = np.zeros((len(VARIANTS), 2, SIZE, SIZE, 3), np.uint8)
    rgb += np.uint8(40 * (1 + np.arange(len(VARIANTS))))[:, None, None, None, None]
    solid = np.zeros((2, SIZE, SIZE))
    solid[:, :, SIZE // 2 :] = 1
    return {
        "seeds": np.int64(seed),
        "attributes": rng.standard_normal(ATTRIBUTE_DIM).astype(np.float32),
        "cam2world": random_cameras(ShardPlan(seed, 1, num_views=2), rng),
        "variants": np.array(VARIANTS, dtype="<U48"),
        "rgb": rgb,
        "alpha": np.uint8(255 * solid),
        "depth": np.float16(2.6 * solid),
        "regions": np.uint8(solid),
    }
