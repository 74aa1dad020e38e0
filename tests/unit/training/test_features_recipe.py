"""The feature recipe on tiny fake shards: batches, checks, one short run, the exported file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from triptych.avatars.sets import shards as shard_files
from triptych.avatars.sets.shards import ShardSet
from triptych.nn.feature_network import AvatarFeatures, FeatureNetworkConfig
from triptych.training.augmentation import Augmentation
from triptych.training.features import batches as look_batches
from triptych.training.features import classifier
from triptych.training.features import recipe as features
from triptych.training.features.batches import (
    VariantBatch,
    VariantShares,
    draw_variant_batch,
    expected_style_shares,
    keeps_regions,
    style_names_in,
    style_shares,
    variant_batch,
)
from triptych.training.features.checks import check_features
from triptych.training.loop import Progress, train
from triptych.training.style_variants import drawn_styles
from triptych.weights import load_features

SIZE, VIEWS = 32, 2
LOOKS = ("original", "bronze", "elf", "elf+bronze")


def _fake_head(seed: int) -> dict[str, np.ndarray]:
    """A head whose look number and view can be read from its red and green channels."""
    rng = np.random.default_rng(seed)
    rgb = np.zeros((len(LOOKS), VIEWS, SIZE, SIZE, 3), np.uint8)
    rgb[..., 0] = 50 * np.arange(len(LOOKS))[:, None, None, None]
    rgb[..., 1] = 100 * np.arange(VIEWS)[None, :, None, None]
    rgb[..., 2] = seed % 256
    regions = np.zeros((VIEWS, SIZE, SIZE), np.uint8)
    regions[:, 8:24, 8:24] = 1 + np.arange(VIEWS)[:, None, None]
    return {
        "seeds": np.int64(seed),
        "attributes": rng.normal(size=6).astype(np.float32),
        "cam2world": np.tile(np.eye(4, dtype=np.float32), (VIEWS, 1, 1)),
        "variants": np.array(LOOKS, dtype="<U48"),
        "rgb": rgb,
        "alpha": np.zeros((VIEWS, SIZE, SIZE), np.uint8),
        "depth": np.zeros((VIEWS, SIZE, SIZE), np.float16),
        "regions": regions,
    }


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    for first in (0, 4):
        heads = [_fake_head(first + i) for i in range(4)]
        shard_files.write_shard(folder / f"shard_{first:07d}", heads)
    return folder


def test_style_names_are_the_parts_of_all_looks_and_the_drawn_styles(shards: Path) -> None:
    names = style_names_in(ShardSet(shards))
    assert names[0] == "original"
    assert set(names) == {"original", "bronze", "elf", *drawn_styles()}
    assert list(names[1:]) == sorted(names[1:])


def test_regions_hold_where_only_colours_change() -> None:
    known = {"original", "bronze", "pencil sketch", "bronze+pencil sketch"}
    moved = {"elf", "elf+bronze", "cartoon", "old", "elf+pencil sketch"}
    assert {variant for variant in known | moved if keeps_regions(variant)} == known


def test_a_combined_look_is_shared_between_its_styles() -> None:
    names = ("original", "bronze", "elf")
    assert style_shares("elf+bronze", names) == [0.0, 0.5, 0.5]
    assert style_shares("elf", names) == [0.0, 0.0, 1.0]
    assert style_shares("elf+unheard of", names) == [0.0, 0.0, 1.0]


def test_expected_shares_are_those_of_drawn_batches(shards: Path) -> None:
    heads, rng = ShardSet(shards), np.random.default_rng(0)
    names = style_names_in(heads)
    division = VariantShares(original=0.5, drawn=0.2, drawn_combined=0.1)
    expected = expected_style_shares(heads, names, division)
    assert sum(expected) == pytest.approx(1)
    assert expected[0] == pytest.approx(0.5)
    drawn = [
        draw_variant_batch(heads, names, rng, heads=8, images_per_head=8, shares=division).style
        for _ in range(40)
    ]
    assert torch.cat(drawn).mean(0).tolist() == pytest.approx(expected, abs=0.02)
    # Of the rest, half goes to each style and the combination counts for both.
    plain = expected_style_shares(
        heads, names, VariantShares(original=0.4, drawn=0, drawn_combined=0)
    )
    assert plain[names.index("bronze")] == pytest.approx(0.3)


def test_even_styles_take_the_frequencies_out_of_the_answers(shards: Path) -> None:
    options = classifier.Options(str(shards), str(shards), batch_heads=4, images_per_head=2)
    even, plain = classifier.build(options), classifier.build(replace(options, even_styles=False))
    draws = [torch.Generator().manual_seed(5) for _ in range(2)]
    figures = [
        recipe.loss(Progress(0, 0.0), draw)[1]
        for recipe, draw in zip((even, plain), draws, strict=True)
    ]
    assert figures[0]["identity"] == pytest.approx(figures[1]["identity"])
    assert figures[0]["style"] != pytest.approx(figures[1]["style"], abs=0.05)
    share = torch.tensor(expected_style_shares(even.shards, even.style_names))
    assert torch.allclose(even.log_shares.exp(), share.float().clamp(min=1e-6))
    assert not plain.log_shares.any()


def test_a_batch_holds_what_was_picked(shards: Path) -> None:
    names = ("original", "bronze", "elf")
    picks = [(5, "original", 1), (2, "bronze", 0), (2, "elf+bronze", 1)]
    batch = variant_batch(ShardSet(shards), names, picks)
    read = ((batch.image[:, :, 0, 0] + 1) * 127.5).round().tolist()
    assert read == [[0, 100, 5], [50, 0, 2], [150, 100, 2]]
    assert batch.regions[:, 16, 16].tolist() == [2, 1, 2]
    assert batch.regions_known.tolist() == [True, True, False]
    assert batch.is_original.tolist() == [True, False, False]
    assert batch.head.tolist() == [5, 2, 2]
    assert batch.style[2].tolist() == [0.0, 0.5, 0.5]


def test_drawn_styles_filter_the_original_picture(shards: Path) -> None:
    names = style_names_in(ShardSet(shards))
    picks = [(5, "original", 0), (5, "sepia photo", 0), (5, "bronze+sepia photo", 0)]
    batch = variant_batch(ShardSet(shards), names, picks)
    assert not torch.equal(batch.image[0], batch.image[1])
    assert batch.style[1, names.index("sepia photo")] == 1.0
    assert batch.style[2, names.index("bronze")] == 0.5
    assert batch.is_original.tolist() == [True, False, False]


def test_batches_have_several_pictures_of_different_heads(shards: Path) -> None:
    data = ShardSet(shards)
    names = style_names_in(data)

    def draw(**shares: float) -> VariantBatch:
        rng = np.random.default_rng(0)
        return draw_variant_batch(
            data, names, rng, heads=5, images_per_head=4, shares=VariantShares(**shares)
        )

    batch = draw()
    heads, counts = torch.unique(batch.head, return_counts=True)
    assert len(heads) == 5
    assert counts.tolist() == [4] * 5
    assert 0 < int(batch.is_original.sum()) < 20
    drawn = [names.index(style) for style in drawn_styles()]
    assert bool(draw(original=1.0, drawn=0.0, drawn_combined=0.0).is_original.all())
    only_drawn = draw(original=0.0, drawn=1.0, drawn_combined=0.0).style[:, drawn].sum(1)
    assert only_drawn.tolist() == [1.0] * 20
    joined = draw(original=0.0, drawn=0.0, drawn_combined=1.0).style[:, drawn].sum(1)
    assert joined.tolist() == [0.5] * 20
    rendered = draw(original=0.0, drawn=0.0, drawn_combined=0.0)
    assert float(rendered.style[:, drawn].sum()) == 0.0
    assert not bool(rendered.is_original.any())


class _Oracle:
    """Answers from colours that name the style, the view and the head."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.config = FeatureNetworkConfig(names, attribute_dim=6)

    def paint(self, shards: ShardSet, head: int, variant: str, views: list[int]) -> torch.Tensor:
        style = self.config.style_names.index(variant.split("+")[0])
        colour = torch.tensor([10.0 * style, 100.0 * views[0], float(shards.get("seeds", head))])
        return (colour / 127.5 - 1).view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)

    def parameters(self):  # type: ignore[no-untyped-def]
        yield torch.zeros(1)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return ((image[:, :, 0, 0] + 1) * 127.5).round().long()

    def style_logits(self, colour: torch.Tensor) -> torch.Tensor:
        return one_hot(colour[:, 0] // 10, len(self.config.style_names)).float()

    def region_logits(self, colour: torch.Tensor) -> torch.Tensor:
        regions = torch.zeros(len(colour), SIZE, SIZE, dtype=torch.long)
        regions[:, 8:24, 8:24] = 1 + colour[:, 1, None, None] // 100
        return one_hot(regions, 9).permute(0, 3, 1, 2).float()

    def attributes(self, colour: torch.Tensor) -> torch.Tensor:
        rows = [np.random.default_rng(int(seed)).normal(size=6) for seed in colour[:, 2]]
        return torch.tensor(np.array(rows), dtype=torch.float32)

    def identity(self, colour: torch.Tensor) -> torch.Tensor:
        return one_hot(colour[:, 2] % 8, 8).float()


def test_right_answers_score_full_marks(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ShardSet(shards)
    oracle = _Oracle(style_names_in(data))
    monkeypatch.setattr(look_batches, "pictures_of", oracle.paint)
    unchanged = Augmentation().wider(0.0)
    figures = check_features(oracle, data, unchanged, heads=8)  # type: ignore[arg-type]
    assert figures == {
        "style_accuracy": 1.0,
        "style_accuracy_changed": 1.0,
        "identity_kept": 1.0,
        "region_iou": 1.0,
        "attribute_r2": 1.0,
    }


def test_an_untrained_network_scores_like_chance(shards: Path) -> None:
    torch.manual_seed(0)
    names = style_names_in(ShardSet(shards))
    config = FeatureNetworkConfig(names, attribute_dim=6, channels=(4, 4, 4, 4, 4))
    network = AvatarFeatures(config).eval()
    figures = check_features(network, ShardSet(shards), Augmentation(), heads=8)
    assert figures["region_iou"] < 0.5
    assert figures["attribute_r2"] < 0.5
    assert figures["style_accuracy"] < 0.9


def test_region_loss_leaves_out_looks_whose_regions_are_unknown(shards: Path) -> None:
    recipe = features.build(features.Options(shards=str(shards), test_shards=str(shards)))
    logits = torch.zeros(2, 9, 4, 4)
    logits[1, 0] = -100.0  # very wrong, but unknown
    regions = torch.zeros(2, 4, 4, dtype=torch.long)
    loss = recipe._region_loss(logits, regions, torch.tensor([True, False]))
    torch.testing.assert_close(loss, torch.tensor(float(np.log(9))))


def test_a_short_run_trains_and_exports_a_file_that_loads(shards: Path, tmp_path: Path) -> None:
    options = classifier.Options(
        shards=str(shards), test_shards=str(shards), batch_heads=4, images_per_head=4
    )
    recipe = classifier.build(options)
    before = {name: value.clone() for name, value in recipe.features.state_dict().items()}
    loop = replace(classifier.LOOP, steps=2, threads=1, adaptive_threads=False)
    result = train(recipe, loop, tmp_path / "run")
    changed = [n for n, v in recipe.features.state_dict().items() if not torch.equal(v, before[n])]
    assert len(changed) == len(before)
    assert list((tmp_path / "run" / "sheets").iterdir())
    classifier.export(recipe, result, tmp_path / "judge.safetensors")
    loaded = load_features(tmp_path / "judge.safetensors")
    assert loaded.config == recipe.features.config
    image = torch.rand(1, 3, 64, 64)
    averaged = result.averaged["features"]
    torch.testing.assert_close(
        loaded(image)["stage3"], averaged(image)["stage3"], rtol=1e-2, atol=1e-2
    )


def test_people_only_leaves_stages_regions_and_styles_as_they_are(
    shards: Path, tmp_path: Path
) -> None:
    options = classifier.Options(
        shards=str(shards), test_shards=str(shards), batch_heads=4, people_only=True
    )
    recipe = classifier.build(options)
    before = {name: value.clone() for name, value in recipe.features.state_dict().items()}
    loop = replace(classifier.LOOP, steps=2, threads=1, adaptive_threads=False)
    after = train(recipe, loop, tmp_path / "run").averaged["features"].state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(after[name], before[name])}
    assert changed == {"layout", "identity_head", "attribute_head"}


def test_the_judge_starts_elsewhere_and_sees_wider_changes(shards: Path) -> None:
    folders = {"shards": str(shards), "test_shards": str(shards)}
    loss_network = features.build(features.Options(**folders))
    again = features.build(features.Options(**folders))
    judge = classifier.build(classifier.Options(**folders))
    first, same, other = (
        r.features.stages["stage1"][0].weight for r in (loss_network, again, judge)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert judge.augmentation.blur > loss_network.augmentation.blur
    assert classifier.LOOP.seed != features.LOOP.seed
