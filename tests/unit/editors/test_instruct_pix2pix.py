"""The editor's own loop against diffusers' pipeline, one noise for all views, bad requests."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from triptych.editors import latent_codec as picture_codec
from triptych.editors.image_editor import (
    EditorConfig,
    EditorWarning,
    EditRequest,
    official_editor_config,
)
from triptych.editors.instruct_pix2pix import InstructPix2PixEditor
from triptych.editors.noised_start import plan_timesteps, shared_noise
from triptych.errors import UserError

CONFIG = replace(
    official_editor_config(),
    image_size=32,
    prompt_template="turn it into {}, detail",
    negative_prompt="ugly",
    max_prompt_tokens=96,
)


def make_editor(parts, config: EditorConfig = CONFIG) -> InstructPix2PixEditor:
    return InstructPix2PixEditor(
        unet=parts.unet,
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        scheduler=parts.scheduler,
        config=config,
        precision="float32",
        views_per_batch=2,
    )


@pytest.fixture
def editor(tiny_editor_parts) -> InstructPix2PixEditor:
    return make_editor(tiny_editor_parts)


def pictures(count: int, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(3)) * 2 - 1


def pipeline_edit(parts, images, *, prompt, negative, steps, tau, text, image, seed):
    """Run diffusers' pipeline with a scheduler that drops the first steps of its schedule."""
    from diffusers import DDIMScheduler, StableDiffusionInstructPix2PixPipeline

    class NoisedStart(DDIMScheduler):
        def set_timesteps(self, num_inference_steps, device=None):
            super().set_timesteps(num_inference_steps, device)
            self.timesteps = self.timesteps[num_inference_steps - int(num_inference_steps * tau) :]

    scheduler = NoisedStart.from_config(parts.scheduler.config)
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        z0 = parts.vae.encode(images).latent_dist.mode() * parts.vae.config.scaling_factor
    noise = shared_noise(tuple(z0.shape[1:]), seed).expand_as(z0)
    latents = noise if tau == 1 else scheduler.add_noise(z0, noise, scheduler.timesteps[:1])
    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        unet=parts.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    result = pipeline(
        [prompt] * len(images),
        image=(images + 1) / 2,
        negative_prompt=[negative] * len(images),
        num_inference_steps=steps,
        guidance_scale=text,
        image_guidance_scale=image,
        latents=latents,
        output_type="np",
    ).images
    return torch.from_numpy(np.asarray(result)).permute(0, 3, 1, 2) * 2 - 1


@pytest.mark.parametrize(("tau", "image_guidance"), [(0.9, 1.5), (1.0, 1.5), (0.9, 1.0)])
def test_equals_the_diffusers_pipeline(editor, tiny_editor_parts, tau, image_guidance):
    images = pictures(3)
    request = EditRequest(
        "a cat",
        11,
        text_guidance=4.0,
        image_guidance=image_guidance,
        num_steps=10,
        noise_level=tau,
    )
    own = editor.edit(images, request)
    theirs = pipeline_edit(
        tiny_editor_parts,
        images,
        prompt="turn it into a cat, detail",
        negative="ugly",
        steps=10,
        tau=tau,
        text=4.0,
        image=image_guidance,
        seed=11,
    )
    assert own.shape == theirs.shape
    assert (own - theirs).abs().max() < 1e-5
    # The comparison would pass on constant pictures: the edits are not.
    assert theirs.std() > 0.02


def test_equal_views_get_equal_edits_whatever_their_batch(editor):
    view = pictures(1)
    edited = editor.edit(
        view.repeat(3, 1, 1, 1), EditRequest("a cat", text_guidance=3.0, num_steps=4, seed=1)
    )
    assert (edited - edited[:1]).abs().max() < 1e-5


def test_a_cut_edit_continues_as_if_it_had_not_been_cut(editor):
    images = pictures(4)
    whole = editor.edit(images, EditRequest("a cat", num_steps=4, seed=1))
    begun = editor.edit_in_batches(images, EditRequest("a cat", num_steps=4, seed=1))
    first = next(begun)
    rest = editor.edit(images[len(first) :], EditRequest("a cat", num_steps=4, seed=1))
    assert (torch.cat([first, rest]) - whole).abs().max() < 1e-5


def test_another_seed_prompt_or_negative_prompt_changes_the_edit(editor):
    images = pictures(1)
    reference = editor.edit(images, EditRequest("a cat", num_steps=4, seed=1))
    for changed in (
        editor.edit(images, EditRequest("a cat", num_steps=4, seed=2)),
        editor.edit(images, EditRequest("a dog", num_steps=4, seed=1)),
        editor.edit(images, EditRequest("a cat", negative_prompt="dull", num_steps=4, seed=1)),
    ):
        assert (changed - reference).abs().max() > 1e-4


def test_rescaled_reading_runs_every_step(tiny_editor_parts):
    editor = make_editor(tiny_editor_parts, replace(CONFIG, noise_reading="rescale"))
    calls = []
    editor.edit(
        pictures(1),
        EditRequest("a cat", num_steps=6, seed=0),
        progress=lambda *now: calls.append(now),
    )
    assert calls == [(i + 1, 6) for i in range(6)]


def test_progress_counts_the_steps_of_all_views(editor):
    calls = []
    editor.edit(
        pictures(3),
        EditRequest("a cat", num_steps=10, seed=0),
        progress=lambda *now: calls.append(now),
    )
    assert len(calls) == 2 * 9
    assert calls[0] == (2, 27)
    assert calls[-1] == (27, 27)


def test_large_pictures_pass_the_autoencoder_one_by_one(tiny_editor_parts, monkeypatch):
    """At 512 pixels eight pictures at once would need sixteen gigabytes."""
    images = pictures(2)
    editor = make_editor(tiny_editor_parts)
    request = {"text_guidance": 3.0, "num_steps": 3, "seed": 1}
    together = editor.edit(images, EditRequest("a cat", **request))
    seen = []
    encode, decode = editor.vae.encode, editor.vae.decode
    monkeypatch.setattr(picture_codec, "PIXELS_AT_ONCE", 32**2)
    monkeypatch.setattr(editor.vae, "encode", lambda x: seen.append(len(x)) or encode(x))
    monkeypatch.setattr(editor.vae, "decode", lambda x: seen.append(len(x)) or decode(x))
    assert (editor.edit(images, EditRequest("a cat", **request)) - together).abs().max() < 1e-4
    assert seen == [1, 1, 1, 1]


def test_a_unet_kept_in_bfloat16_edits_alike(tiny_editor_parts):
    request = {"text_guidance": 3.0, "num_steps": 4, "seed": 1}
    exact = make_editor(tiny_editor_parts).edit(pictures(2), EditRequest("a cat", **request))
    parts = SimpleNamespace(**vars(tiny_editor_parts))
    parts.unet = copy.deepcopy(parts.unet).to(torch.bfloat16)
    rounded = make_editor(parts).edit(pictures(2), EditRequest("a cat", **request))
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert (rounded - exact).abs().mean() < 0.05 * exact.std()


@pytest.mark.parametrize("fast", [True, False])
def test_an_official_folder_is_kept_in_bfloat16_where_that_is_fast(
    tiny_editor_parts, tmp_path, monkeypatch, fast
):
    from diffusers import StableDiffusionInstructPix2PixPipeline

    StableDiffusionInstructPix2PixPipeline(
        **vars(tiny_editor_parts),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(tmp_path)
    monkeypatch.setattr("triptych.editors.files.has_fast_bfloat16", lambda device: fast)
    editor = InstructPix2PixEditor.from_pretrained(tmp_path, config=CONFIG)
    assert editor.unet.dtype == (torch.bfloat16 if fast else torch.float32)
    assert editor.vae.dtype == editor.text_encoder.dtype == torch.float32
    kept = InstructPix2PixEditor.from_pretrained(tmp_path, config=CONFIG, precision="float32")
    assert kept.unet.dtype == torch.float32
    request = {"text_guidance": 3.0, "num_steps": 3, "seed": 1}
    own = make_editor(tiny_editor_parts).edit(pictures(1), EditRequest("a cat", **request))
    assert torch.equal(kept.edit(pictures(1), EditRequest("a cat", **request)), own)
    edited = editor.edit(pictures(1), EditRequest("a cat", **request))
    assert (edited - own).abs().mean() < 0.05 * own.std()


def test_pictures_of_another_size_come_back_in_their_own_size(editor):
    edited = editor.edit(pictures(1, size=48), EditRequest("a cat", num_steps=3, seed=0))
    assert edited.shape == (1, 3, 48, 48)
    assert edited.abs().max() <= 1


def test_any_schedule_of_the_model_is_run_as_ddim(tiny_editor_parts):
    from diffusers import EulerAncestralDiscreteScheduler

    official = EulerAncestralDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    parts = tiny_editor_parts
    editor = make_editor(parts)
    editor._scheduler_config = official.config
    ddim = editor._ddim()
    assert type(ddim).__name__ == "DDIMScheduler"
    assert plan_timesteps(ddim, 20, 0.9, "skip")[0] == 851
    assert not ddim.config.clip_sample


def test_an_overlong_prompt_is_the_users_mistake(editor):
    overlong = "a " + "very " * 20 + "old cat"
    with pytest.raises(UserError, match=r"the prompt .* too long: 1\d\d tokens .* at most 96"):
        editor.edit(pictures(1), EditRequest(overlong))
    with pytest.raises(UserError, match="the negative prompt is too long: 98 tokens"):
        editor.check(EditRequest("a cat", negative_prompt="a" * 96))


def test_every_language_is_taken_by_an_editor_of_language_at_large(editor):
    editor.check(EditRequest("\u0431\u0440\u043e\u043d\u0437\u0430 \U0001f5ff"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_steps": 0}, "num_steps: got 0"),
        ({"num_steps": 10**9}, "num_steps: got 1000000000"),
        ({"noise_level": 1.5}, "noise_level: got 1.5"),
        ({"noise_level": float("nan")}, "noise_level: got nan"),
        ({"noise_level": 1e-9}, "noise_level: got 1e-09 .* leaves no step"),
    ],
)
def test_a_request_is_checked_before_it_is_carried_out(editor, changes, said):
    with pytest.raises(UserError, match=said):
        editor.check(EditRequest("a cat", **changes))


SCRIPTS = (
    (0x20, 0x7F),
    (0xA0, 0x250),
    (0x370, 0x590),
    (0x590, 0x700),
    (0x900, 0x980),
    (0x300, 0x370),
    (0x2000, 0x2070),
    (0x4E00, 0x4F00),
    (0xD800, 0xE000),
    (0x1F300, 0x1F600),
    (0, 0x20),
)


def random_text(rng: np.random.Generator) -> str:
    """Draw a text of one to three scripts; the longest are longer than prompts may be."""
    scripts = rng.choice(len(SCRIPTS), size=rng.integers(1, 4))
    length = int(rng.choice((1, 5, 30, 200, 1100), p=(0.2, 0.4, 0.3, 0.08, 0.02)))
    ranges = [SCRIPTS[index] for index in rng.choice(scripts, size=length)]
    return "".join(chr(rng.integers(first, last)) for first, last in ranges)


def refusal(editor: InstructPix2PixEditor, text: str) -> str | None:
    """Return what a person reads whose prompt is refused, None when it is taken."""
    try:
        editor.check(EditRequest(text))
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("vocabulary", [None, ("a", "cat", "bronze")])
def test_any_text_is_taken_or_refused_in_one_line(tiny_editor_parts, vocabulary, count):
    editor = make_editor(tiny_editor_parts, replace(CONFIG, vocabulary=vocabulary))
    rng = np.random.default_rng(12)
    texts = [random_text(rng) for _ in range(count)]
    refused = [said for said in (refusal(editor, text) for text in texts) if said is not None]
    assert [said for said in refused if len(said.splitlines()) != 1 or len(said) > 500] == []
    assert 0.05 * count < len(refused) < 0.95 * count


def test_bad_numbers_and_shapes_are_the_users_mistake(editor):
    with pytest.raises(UserError, match="text_guidance"):
        editor.edit(pictures(1), EditRequest("a cat", text_guidance=float("nan"), seed=0))
    with pytest.raises(UserError, match="images"):
        editor.edit(torch.zeros(1, 1, 32, 32), EditRequest("a cat", seed=0))


def test_unknown_words_are_named_with_what_is_known(tiny_editor_parts):
    config = replace(
        CONFIG,
        vocabulary=("turn", "a", "zombie", "bronze", "statue"),
        known_styles=("bronze", "zombie"),
        highest_text_guidance=7.5,
    )
    editor = make_editor(tiny_editor_parts, config)
    with pytest.warns(
        EditorWarning, match="'pirate', 'zombies' .did you mean 'zombie'.*bronze, zombie"
    ):
        editor.edit(pictures(1), EditRequest("a pirate Zombies statue", num_steps=2, seed=0))
    with pytest.warns(EditorWarning, match="text guidance 20 burns"):
        editor.edit(pictures(1), EditRequest("a zombie", text_guidance=20, num_steps=2, seed=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", EditorWarning)
        editor.edit(pictures(1), EditRequest("a Bronze statue", num_steps=2, seed=0))


def test_a_published_model_is_not_fetched_unasked(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def snapshot_download(name, *, allow_patterns, local_files_only=False):
        asked.append(local_files_only)
        raise OSError("not in the cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(UserError, match="timbrooks/instruct-pix2pix is not on this computer"):
        InstructPix2PixEditor.from_pretrained("timbrooks/instruct-pix2pix")
    assert asked == [True]
    with pytest.raises(UserError, match="could not be downloaded: not in the cache"):
        InstructPix2PixEditor.from_pretrained("timbrooks/instruct-pix2pix", allow_download=True)
    assert asked == [True, True, False]
    with pytest.raises(UserError, match="no image editor at"):
        InstructPix2PixEditor.from_pretrained(tmp_path / "absent")
    with pytest.raises(UserError, match=r"model_index\.json is missing"):
        InstructPix2PixEditor.from_pretrained(tmp_path)
