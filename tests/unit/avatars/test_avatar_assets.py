"""The asset pack: where it is looked for, and what it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from triptych.avatars.assets.pack import load_assets
from triptych.avatars.geometry.morphs import morph_weights, morphed_base
from triptych.avatars.people.identity import identity_from_attributes, identity_from_seed
from triptych.errors import UserError
from triptych.models.attributes import HAIR_STYLES, attributes_from_seed


def test_a_missing_pack_names_the_command_that_builds_it(tmp_path):
    with pytest.raises(UserError, match="triptych data"):
        load_assets(tmp_path / "absent.npz")


def test_the_variable_names_the_pack(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIPTYCH_MAKEHUMAN", str(tmp_path / "elsewhere.npz"))
    with pytest.raises(UserError, match=r"elsewhere\.npz"):
        load_assets()


def test_without_one_of_the_users_own_the_embedded_pack_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv("TRIPTYCH_MAKEHUMAN", raising=False)
    monkeypatch.setenv("TRIPTYCH_CACHE", str(tmp_path))
    assert len(load_assets().targets) == 534
    (tmp_path / "makehuman_head.npz").write_text("the user's own")
    with pytest.raises(UserError, match=f"{tmp_path}.*not a head asset pack"):
        load_assets()


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", something=np.zeros(3))
    with pytest.raises(UserError, match="not a head asset pack"):
        load_assets(tmp_path / "other.npz")


def test_the_pack_has_the_known_controls(head_assets):
    controls = head_assets.controls
    assert len(controls.details) == 90
    assert len(controls.outlines) == 7
    assert len(controls.ear_shapes) == 4
    assert len(controls.asymmetries) == 29
    eye_scale = head_assets.control_targets["eyes/eye-scale"]
    assert eye_scale.positive == ("eyes/l-eye-scale-incr", "eyes/r-eye-scale-incr")
    assert eye_scale.negative == ("eyes/l-eye-scale-decr", "eyes/r-eye-scale-decr")


def test_eyeballs_lie_at_the_known_place(head_assets):
    left = head_assets.base[head_assets.eyeballs[0]]
    centre = left.mean(axis=0)
    np.testing.assert_allclose(centre, [0.3078, 7.284, 1.245], atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(left - centre, axis=1), 0.1495, atol=1e-3)


def test_fitted_offsets_scale_with_the_head(head_assets):
    teeth = head_assets.meshes["teeth"]
    rest, doubled = teeth.fit(head_assets.base), teeth.fit(2.0 * head_assets.base)
    np.testing.assert_allclose(doubled, 2.0 * rest, atol=1e-9)


def test_macro_weights_of_each_kind_sum_to_one(head_assets):
    identity = identity_from_seed(5, head_assets)
    weights = list(morph_weights(identity, head_assets))
    for kind in ("macro/", "univ/"):
        assert sum(w for name, w in weights if name.startswith(kind)) == pytest.approx(1.0)


def test_an_identity_without_asymmetry_is_symmetric(head_assets):
    identity = identity_from_seed(5, head_assets)
    identity = replace(identity, asymmetry={})
    base = morphed_base(identity, head_assets)
    left, right = (base[ids].mean(axis=0) for ids in head_assets.eyeballs)
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=2e-3)


def test_an_unknown_detail_is_refused_with_the_closest_name(head_assets):
    identity = identity_from_seed(5, head_assets).with_details({"eyes/eye-scal": 0.5})
    with pytest.raises(UserError, match="eyes/eye-scale"):
        morphed_base(identity, head_assets)


def test_unknown_choices_are_refused(head_assets):
    identity = identity_from_seed(5, head_assets)
    with pytest.raises(UserError, match="hair_style"):
        replace(identity, hair_style="mullet")
    with pytest.raises(UserError, match="garment"):
        replace(identity, garment="toga")
    with pytest.raises(UserError, match="ear_shapes"):
        identity.with_ear_shapes({"floppy": 1.0})


def test_overrides_leave_the_rest_alone(head_assets):
    identity = identity_from_attributes(attributes_from_seed(5), head_assets.controls)
    changed = identity.with_details({"nose/nose-hump": 0.6}).with_ear_shapes({"pointed": 1.2})
    assert changed.details["nose/nose-hump"] == 0.6
    assert changed.details["eyes/eye-scale"] == identity.details["eyes/eye-scale"]
    assert dict(changed.ear_shapes) == {"pointed": 1.2}
    assert replace(changed, details=identity.details, ear_shapes=identity.ear_shapes) == identity


def test_every_hair_style_has_geometry(head_assets):
    shells = {"bald", "buzz", "crop", "slick", "curls", "afro", "bun", "long_wavy"}
    for style in HAIR_STYLES:
        assert style in shells or f"hair/{style}" in head_assets.meshes
