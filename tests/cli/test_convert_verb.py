"""`triptych convert`: what is said, what is refused, what is written."""

from __future__ import annotations

import json
import re

import pytest
import torch
from eg3d_pickles import derived_file, eg3d_pickle, tiny_eg3d

from triptych.weights import load_generator
from triptych.weights.safetensors_file import read_header


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network pickle of toy size."""
    path = tmp_path_factory.mktemp("checkpoints") / "faces.pkl"
    path.write_bytes(eg3d_pickle(tiny_eg3d()))
    return path


def test_a_checkpoint_becomes_a_file_that_every_verb_opens(run, tmp_path, checkpoint):
    outcome = run("convert", checkpoint, "faces.safetensors", "--accept-licence")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[-1] == "faces.safetensors"
    for said in (
        "network       G_ema: TriPlaneGenerator",
        "planes        3 x 4 x 16 x 16, legacy axes, box 1",
        "licence       NVIDIA Source Code License for EG3D (non-commercial)",
    ):
        assert any(line.startswith(said) for line in lines), outcome.out
    loaded = load_generator(tmp_path / "faces.safetensors").state_dict()
    assert all(torch.equal(loaded[name], t) for name, t in tiny_eg3d().state_dict().items())
    made = run("generate", "--model", "faces.safetensors", "--seeds", "3", "--out", "heads")
    assert made.code == 0, made.err
    assert (tmp_path / "heads" / "seed00003.safetensors").is_file()
    assert json.loads((tmp_path / "heads" / "run.json").read_text())["plan"]["seeds"] == [3]


def test_without_the_licence_there_is_a_report_and_no_file(run, tmp_path, checkpoint):
    outcome = run("convert", checkpoint, "faces.safetensors")
    assert outcome.code == 2
    assert "was not converted: it comes under the NVIDIA Source Code License" in outcome.complaint
    assert "add --accept-licence if you accept it" in outcome.complaint
    assert "TriPlaneGenerator" in outcome.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("network", "kind"), [("G", "TriPlaneGenerator"), ("D", "DualDiscr")])
def test_other_networks_on_request(run, tmp_path, checkpoint, network, kind):
    outcome = run("convert", checkpoint, "x.safetensors", "--network", network, "--accept-licence")
    assert outcome.code == 0
    header = read_header(tmp_path / "x.safetensors")
    assert header.class_name.startswith(kind)
    assert header.provenance["network"] == network


def test_a_file_that_exists_is_kept_unless_told_otherwise(run, tmp_path, checkpoint):
    (tmp_path / "faces.safetensors").write_text("precious")
    words = ("convert", checkpoint, "faces.safetensors", "--accept-licence")
    outcome = run(*words)
    assert outcome.code == 2
    assert "faces.safetensors exists; choose another name or add --overwrite" in outcome.complaint
    assert (tmp_path / "faces.safetensors").read_text() == "precious"
    assert run(*words, "--overwrite").code == 0
    assert read_header(tmp_path / "faces.safetensors").class_name == "TriPlaneGenerator"


def test_a_refused_file_does_not_replace_what_is_there(run, tmp_path, checkpoint):
    (tmp_path / "faces.safetensors").write_text("precious")
    whole = checkpoint.read_bytes()
    (tmp_path / "cut.pkl").write_bytes(whole[: len(whole) // 2])
    outcome = run("convert", "cut.pkl", "faces.safetensors", "--accept-licence", "--overwrite")
    assert outcome.code == 2
    assert "cut.pkl cannot be read: cut off or broken" in outcome.complaint
    assert (tmp_path / "faces.safetensors").read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("absent.pkl", "x.safetensors"), "cannot read absent.pkl: No such file"),
        (("words.pkl", "x.safetensors"), "words.pkl is a text; expected a checkpoint"),
        (("words.pkl", "x.pkl"), "ends in '.pkl'; expected .safetensors"),
        (("hostile.pkl", "x.safetensors"), "asks Python to run os.system"),
        (("other.pt", "x.safetensors"), "is a checkpoint of StyleGAN3 .2D images.; expected one"),
        (("bare.pt", "x.safetensors"), "no settings; say which official model has the same ones"),
        (("bare.pt", "x.safetensors", "--settings-of", "cats"), "no official model 'cats'"),
        (("words.pkl", "x.safetensors", "--network", "E"), "--network"),
    ],
)
def test_what_cannot_be_converted_is_one_line(run, tmp_path, words, said):
    (tmp_path / "words.pkl").write_text("Some words, no weights.")
    (tmp_path / "hostile.pkl").write_bytes(b"cos\nsystem\n(Vtouch ran\ntR.")
    torch.save({"synthesis.L0_36_512.weight": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save(dict(tiny_eg3d().state_dict()), tmp_path / "bare.pt")
    outcome = run("convert", *words, "--accept-licence")
    assert outcome.code == 2
    assert re.search(said, outcome.complaint), outcome.complaint
    assert outcome.out == ""
    assert not (tmp_path / "ran").exists()


def test_misfits_are_shown_as_a_table(run, tmp_path):
    whole = derived_file(tiny_eg3d())
    whole["init_kwargs"]["channel_max"] = 6
    torch.save(whole, tmp_path / "a.pt")
    outcome = run("convert", "a.pt", "x.safetensors", "--accept-licence")
    assert outcome.code == 2
    assert "a.pt (G_ema) do not fit a TriPlaneGenerator" in outcome.complaint
    titles, *lines = outcome.out.splitlines()
    assert titles.split() == ["problem", "tensor", "expected", "in", "the", "file"]
    row = next(line for line in lines if "backbone.synthesis.b4.const" in line)
    assert row.split("  ")[0] == "misshapen"
    assert "[6, 4, 4]" in row
    assert "[8, 4, 4]" in row


def test_what_the_file_does_not_say_can_be_said(run, tmp_path):
    torch.save(derived_file(tiny_eg3d()), tmp_path / "a.pt")
    words = ("convert", "a.pt", "x.safetensors", "--accept-licence")
    outcome = run(*words, "--plane-axes", "corrected")
    assert outcome.code == 0
    assert "corrected axes" in outcome.out
    assert load_generator(tmp_path / "x.safetensors").config.plane_axes == "corrected"


def test_verbs_that_are_given_a_checkpoint_say_how_to_convert_it(run, checkpoint):
    outcome = run("generate", "--model", checkpoint, "--out", "heads")
    assert outcome.code == 2
    assert f"convert it first: triptych convert {checkpoint} OUT.safetensors" in outcome.complaint
