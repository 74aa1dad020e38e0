"""Inception v3 against torchvision 0.28, with weights that both make from their names.

The numbers are every 128th of the features that torchvision's Inception3 gives for the picture
resized to 299 x 299, without its classifier, in evaluation mode: as it is, and with its pooled
branches changed to FID's. The same weights with the other variant's pooling are 7 % away in the
median, with the usual epsilon of batch norms 1.5 %.
"""

from __future__ import annotations

import pytest
import torch
from inception_rule import fill_inception, picture
from torch import Tensor

from triptych.metrics.frechet import INCEPTION_FILE, find_inception
from triptych.nn.inception import InceptionFeatures

FID = (
    10.20735,
    10.06209,
    0.06132839,
    8.787269,
    0.5156293,
    25.37797,
    12.64838,
    0.0,
    0.0,
    8.665035,
    2.169125,
    1.319477,
    0.01286334,
    0.9390979,
    22.98994,
    12.69305,
)
PLAIN = (
    10.04832,
    9.700785,
    0.008018661,
    8.196352,
    0.4813793,
    25.15271,
    11.5465,
    0.0,
    0.0,
    8.360476,
    1.832891,
    1.398643,
    0.002259138,
    0.8912705,
    21.88636,
    8.873682,
)
RELATIVE = 1e-4


def close_to(features: Tensor, expected: tuple[float, ...]) -> None:
    assert features.shape == (1, 2048)
    torch.testing.assert_close(
        features[0, ::128], torch.tensor(expected), rtol=RELATIVE, atol=RELATIVE
    )


@torch.no_grad()
def test_features_of_fid_from_a_file_in_the_old_format(tmp_path):
    network = InceptionFeatures("fid")
    fill_inception(network)
    state = {**network.state_dict(), "fc.weight": torch.zeros(1008, 2048)}
    # The published file is older than zipped weight files.
    torch.save(state, tmp_path / INCEPTION_FILE, _use_new_zipfile_serialization=False)
    found = find_inception(tmp_path)
    assert found is not None
    close_to(found.network(picture()), FID)


@pytest.mark.slow
@torch.no_grad()
def test_features_of_the_network_as_published():
    network = InceptionFeatures("torchvision").eval()
    fill_inception(network)
    close_to(network(picture()), PLAIN)
