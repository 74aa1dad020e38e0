"""The committed samples are those of the reference numbers, and errors between them show."""

from __future__ import annotations

import pytest
import torch
from closeness import assert_close
from reference_numbers import Samples, read_golden
from write_goldens import SOURCES, golden

LARGEST_FILE = 50_000


@pytest.mark.parametrize("name", SOURCES)
def test_committed_samples_are_those_of_the_reference(shared, name):
    assert read_golden(name) == golden(shared, name)


def test_samples_thin_the_longest_axes():
    tensor = torch.arange(6144.0).reshape(1, 3, 64, 32)
    samples = Samples.of(tensor)
    assert samples.steps == (1, 1, 16, 4)
    assert torch.equal(samples.values, tensor[:, :, ::16, ::4])
    assert samples.largest == 6143
    assert torch.equal(Samples.of(tensor[0, :, :5, :5]).values, tensor[0, :, :5, :5])


def test_a_wrong_sample_or_shape_fails():
    tensor = torch.linspace(-1, 1, 6144).reshape(1, 3, 64, 32)
    samples = Samples.of(tensor)
    assert_close(tensor + 4e-5, samples)
    wrong = tensor.clone()
    wrong[0, 2, 16, 4] += 1e-4
    for actual in (wrong, tensor[:, :2], tensor + 6e-5):
        with pytest.raises(AssertionError):
            assert_close(actual, samples)
