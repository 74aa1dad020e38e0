"""Latents, attributes and the attribute vector; no head assets needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.models.attributes import (
    ATTRIBUTE_DIM,
    GARMENTS,
    HAIR_STYLES,
    LATENT_DIM,
    attribute_slices,
    attribute_vector,
    attribute_vector_from_seed,
    attributes_from_latent,
    attributes_from_seed,
    latent_from_seed,
)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.stack([attribute_vector_from_seed(seed) for seed in range(1200)])


def test_a_seed_always_means_the_same_person_and_seeds_differ():
    np.testing.assert_array_equal(latent_from_seed(7), latent_from_seed(7))
    assert attributes_from_seed(7) == attributes_from_seed(7)
    assert attributes_from_seed(7) != attributes_from_seed(8)


def test_the_people_of_the_first_seeds_never_change():
    # Trained weights depend on this mapping: these values may not drift.
    first = attributes_from_seed(0)
    assert first.hair_style == "bob01"
    assert first.gender == pytest.approx(0.05678997, abs=1e-7)
    assert attribute_vector_from_seed(0)[:4] == pytest.approx(
        [-1.1663421, -0.0201314, -1.0668285, 1.0902932], abs=1e-5
    )


def test_latents_are_standard_normal():
    latents = np.stack([latent_from_seed(seed) for seed in range(1500)])
    assert latents.shape[1] == LATENT_DIM
    assert np.abs(latents.mean(axis=0)).max() < 0.12
    assert np.abs(latents.std(axis=0) - 1.0).max() < 0.08


def test_vector_has_the_announced_size_and_about_unit_deviation(vectors):
    assert vectors.shape[1] == ATTRIBUTE_DIM
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    deviation = vectors.std(axis=0)
    assert 0.85 < deviation.mean() < 1.15
    assert deviation.min() > 0.15  # the rarest hair style still occurs
    assert deviation.max() < 1.6


def test_slices_cover_the_vector_once():
    covered = np.concatenate(
        [np.arange(ATTRIBUTE_DIM)[part] for part in attribute_slices().values()]
    )
    np.testing.assert_array_equal(covered, np.arange(ATTRIBUTE_DIM))


def test_choices_are_one_hot_with_the_value_two_and_a_half(vectors):
    blocks = attribute_slices()
    for name, options in (("hair_style", HAIR_STYLES), ("garment", GARMENTS)):
        block = vectors[:, blocks[name]]
        assert block.shape[1] == len(options)
        np.testing.assert_allclose(block.max(axis=1), 2.5)
        np.testing.assert_allclose(block.sum(axis=1), 2.5)
        assert (block.max(axis=0) > 0).all(), "some option never occurs"


def test_one_attribute_changes_only_its_own_slice():
    person = attributes_from_seed(3)
    older = attribute_vector(replace(person, age=person.age + 0.18))
    changed = np.flatnonzero(older != attribute_vector(person))
    np.testing.assert_array_equal(changed, np.arange(ATTRIBUTE_DIM)[attribute_slices()["age"]])
    assert (older - attribute_vector(person))[changed] == pytest.approx([1.0], abs=1e-5)


def test_the_mean_latent_is_an_average_adult():
    person = attributes_from_latent(np.zeros(LATENT_DIM))
    assert person.gender == pytest.approx(0.5)
    assert person.ancestry == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert 0.4 < person.age < 0.6


def test_children_and_women_have_no_beards():
    for seed in range(400):
        person = attributes_from_seed(seed)
        if person.age < 0.36:
            assert person.beard == 0.0
            assert person.lipstick == 0.0
        if person.gender < 0.3:
            assert person.beard == 0.0


def test_a_latent_of_the_wrong_size_is_refused():
    with pytest.raises(ValueError, match="expected"):
        attributes_from_latent(np.zeros(LATENT_DIM - 1))
