"""PStyle-3D's style encoder and losses at small size equal the reference numbers."""

from __future__ import annotations

import copy

import pytest
import torch
from pstyle_numbers import GRADIENTS, IDENTITY, VALUES, SmallPStyle, compare_all, sampled, worst
from reference_numbers import assert_all_compared
from safetensors.torch import load_file

from triptych.nn.arcface import ArcFace
from triptych.nn.discriminator import DiscriminatorConfig, DualDiscriminator
from triptych.nn.public_weights import load_public_tensors
from triptych.ops.resize import resize
from triptych.systems.adapt.losses import (
    StyleLossWeights,
    channel_statistics,
    content_loss,
    density_loss,
    discriminator_loss,
    face_crop,
    gradient_penalty,
    identity_loss,
    style_losses,
)
from triptych.systems.adapt.normalised_vgg import TAPS, NormalisedVGG
from triptych.systems.adapt.style_encoder import StyleEncoder, StyleEncoderConfig
from triptych.training.adversarial_losses import fooling_loss
from triptych.weights.eg3d_settings import discriminator_config
from triptych.weights.safetensors_file import fill_module

MINE = ("loss.", "encoder.", "chain.")
CROPS = {"released": "published", "resized256": "corrected"}
KINK = 1e-6
R1_FORMS = {"released": "published", "independent_inputs": "eg3d"}


@pytest.fixture(scope="module")
def small(shared):
    return SmallPStyle(shared / "fixtures" / "pstyle_small")


@pytest.fixture(scope="module")
def outputs(small):
    return small.outputs


@pytest.fixture(scope="module")
def encoder(small):
    sizes = small.described["encoder"]
    network = StyleEncoder(
        StyleEncoderConfig(
            image_size=sizes["input_size"],
            widths=tuple(sizes["body_widths"]),
            units=tuple(sizes["units_per_stage"]),
            head_width=sizes["head_width"],
            w_dim=small.described["style_dim"],
        )
    )
    state = load_file(small.folder / "style_encoder.safetensors")
    named = {name.removeprefix("encoder."): tensor for name, tensor in state.items()}
    fill_module(network, named, "the reference encoder")
    return network


@pytest.fixture(scope="module")
def loss_state(small):
    return load_file(small.folder / "loss_networks.safetensors")


def part_of(state, prefix):
    return {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}


@pytest.fixture(scope="module")
def vgg(small, loss_state):
    network = NormalisedVGG(tuple(small.described["vgg_widths"].values()))
    load_public_tensors(network, part_of(loss_state, "vgg."), "the reference VGG")
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def arcface(small, loss_state, encoder):
    sizes = small.described
    network = ArcFace(
        sizes["encoder"]["body_widths"],
        sizes["encoder"]["units_per_stage"],
        features=sizes["arcface"]["embedding"],
    )
    body = {f"body.{name}": tensor for name, tensor in encoder.body.state_dict().items()}
    load_public_tensors(network, {**part_of(loss_state, "arcface."), **body}, "ArcFace")
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def discriminator(small, loss_state):
    config: DiscriminatorConfig = discriminator_config(small.described["discriminator"])
    network = DualDiscriminator(config)
    fill_module(network, part_of(loss_state, "discriminator."), "the reference discriminator")
    return network


@pytest.fixture(scope="module")
def pictures(small):
    size = small.described["encoder"]["input_size"]
    raw = small.described["superresolution"]["input_resolution"]
    return {
        "stylised": small.picture("render_stylised", size),
        "raw": small.picture("render_stylised_raw", raw),
        "content": small.picture("render_content", size),
        "style": small.picture("style_image", size),
    }


@pytest.fixture(scope="module")
def codes(encoder, pictures):
    return encoder(pictures["style"])


def test_encoder_stages(encoder, pictures, outputs):
    stem = encoder.input_layer(pictures["style"])
    x, made = stem, {"stem": stem}
    for index, unit in enumerate(encoder.body):
        x = unit(x)
        if index in (6, 20, 23):
            made[f"body{index}"] = x
    _, made["p2"], made["p1"] = encoder.pyramid(pictures["style"])
    for key in [k for k in outputs if k.startswith("encoder.") and "_stride" in k]:
        stage = key.removeprefix("encoder.").partition("_")[0]
        assert worst(sampled(made[stage], key), outputs[key]) < VALUES, key


def test_codes(encoder, codes, small, outputs):
    assert worst(codes, outputs["encoder.codes"]) < VALUES
    half = small.described["encoder"]["input_size"] // 2
    batch = torch.cat([small.picture(f"style_image_b{index}", half) for index in (0, 1)])
    assert worst(encoder(batch), outputs["encoder.codes_256_batch2"]) < VALUES


def test_training_mode_uses_and_updates_batch_statistics(encoder, pictures, outputs):
    trained = copy.deepcopy(encoder).train()
    assert worst(trained(pictures["style"]), outputs["encoder.codes_trainmode"]) < VALUES
    norm = trained.body[0].res_layer[0]
    for name in ("running_mean", "running_var"):
        assert worst(getattr(norm, name), outputs[f"encoder.trainmode_body0_bn_{name}"]) < VALUES


def test_from_an_example_picture_to_planes(small, codes, outputs):
    generator = small.generator("released")
    planes = generator.planes(small.inputs["ws"][:1], edits=generator.edits(codes))
    made = {"planes_from_encoder": planes.flatten(1, 2)}
    compare_all(outputs, "chain.released.", made, 2 * VALUES)


@pytest.fixture(scope="module")
def taps(vgg, pictures):
    return {name: vgg.taps(pictures[name]) for name in ("content", "style")}


def of_vgg(vgg, image, taps, weights, shift: float):
    """Return the gradient of the terms of the VGG, all its biases shifted a little."""
    shifted = copy.deepcopy(vgg)
    for layer in shifted:
        if hasattr(layer, "bias"):
            layer.bias += shift
    made = shifted.taps(image)
    terms = {
        "content": content_loss(made, taps["content"]),
        "style": torch.stack(list(style_losses(made, taps["style"]).values())).sum(),
    }
    (gradient,) = torch.autograd.grad(weights.generator_total(terms), image)
    return gradient


def test_generator_loss(small, vgg, arcface, discriminator, pictures, taps, outputs):
    image = pictures["stylised"].clone().requires_grad_()
    raw = pictures["raw"].clone().requires_grad_()
    made = vgg.taps(image)
    styles = style_losses(made, taps["style"])
    embedded = {
        name: arcface(face_crop(picture, "published"))
        for name, picture in (("stylised", image), ("content", pictures["content"]))
    }
    terms = {
        "adversarial": fooling_loss(discriminator(image, raw, small.inputs["d_label_fake"])),
        "content": content_loss(made, taps["content"]),
        "style": torch.stack(list(styles.values())).sum(),
        "density": density_loss(small.inputs["sigma"]),
        "identity": identity_loss(embedded["stylised"], embedded["content"]),
    }
    weights = StyleLossWeights(**small.described["loss_weights"])
    total = weights.generator_total(terms)
    for name, term in {**terms, "total": total}.items():
        assert worst(term.detach(), outputs[f"loss.g_{name}"]) < VALUES, name
    for tap in TAPS:
        assert worst(styles[tap].detach(), outputs[f"loss.style_{tap}"]) < VALUES
        mean, deviation = channel_statistics(made[tap].detach())
        assert worst(mean, outputs[f"loss.vgg_{tap}_stylised_mean"]) < VALUES
        assert worst(deviation, outputs[f"loss.vgg_{tap}_stylised_std"]) < VALUES
    for tap, step in (("relu1_1", 16), ("relu4_1", 4)):
        expected = outputs[f"loss.vgg_{tap}_stylised_sub"]
        assert worst(made[tap].detach()[..., ::step, ::step], expected) < VALUES
    of_image, of_raw = torch.autograd.grad(total, [image, raw])
    assert worst(of_raw[..., 1::8, 2::8], outputs["loss.g_grad_raw_stride8"]) < GRADIENTS
    # In float32 a few sums of the VGG lie within rounding of a rectifier's kink: on which side the
    # reference's fell is not known, so both count.
    sides = [of_vgg(vgg, image, taps, weights, shift) for shift in (0.0, -KINK, KINK)]
    expected = outputs["loss.g_grad_image_stride16"]
    errors = [(of_image + side - sides[0])[..., 5::16, 3::16].sub(expected).abs() for side in sides]
    nearest = torch.stack(errors).amin(dim=0)
    assert nearest.max() < GRADIENTS * expected.abs().max()


def test_published_weights_are_the_defaults(small):
    assert StyleLossWeights() == StyleLossWeights(**small.described["loss_weights"])


@pytest.mark.parametrize("form", list(CROPS))
def test_identity(arcface, pictures, outputs, form):
    embedded = {}
    for name in ("stylised", "content"):
        crop = face_crop(pictures[name], CROPS[form])
        expected = outputs[f"loss.id_crop112_{form}_{name}_stride4"]
        assert worst(crop[..., ::4, ::4], expected) < VALUES
        embedded[name] = arcface(crop)
        expected = outputs[f"loss.id_embedding_{form}_{name}"]
        assert worst(embedded[name], expected) < VALUES
    found = identity_loss(embedded["stylised"], embedded["content"])
    assert abs(found - outputs[f"loss.identity_{form}"]) < IDENTITY


@pytest.mark.parametrize("form", list(R1_FORMS))
def test_gradient_penalty(small, discriminator, pictures, outputs, form):
    penalty, scores = gradient_penalty(
        discriminator,
        pictures["style"],
        small.inputs["d_label_real"],
        raw_size=pictures["raw"].shape[-1],
        form=R1_FORMS[form],
    )
    assert worst(penalty.detach(), outputs[f"loss.d_r1_{form}"]) < GRADIENTS
    assert worst(scores.detach(), outputs["loss.d_logit_real"]) < VALUES


def test_gradients_of_the_real_score(small, discriminator, pictures, outputs):
    for form in ("released", "independent"):
        image = pictures["style"].clone().requires_grad_()
        raw = resize(image, pictures["raw"].shape[-1], filter_mode="none")
        expected = outputs["loss.d_real_raw_stride8"]
        assert worst(raw.detach()[..., 1::8, 2::8], expected) < VALUES
        if form == "independent":
            raw = raw.detach().requires_grad_()
        score = discriminator(image, raw, small.inputs["d_label_real"])
        of_image, of_raw = torch.autograd.grad(score.sum(), [image, raw])
        expected = outputs[f"loss.d_r1_grad_image_{form}_stride16"]
        assert worst(of_image[..., 5::16, 3::16], expected) < GRADIENTS
        assert worst(of_raw[..., 1::8, 2::8], outputs["loss.d_r1_grad_raw_stride8"]) < GRADIENTS


def test_discriminator_loss(small, discriminator, pictures, outputs):
    network = copy.deepcopy(discriminator).requires_grad_(True)
    fake = network(pictures["stylised"], pictures["raw"], small.inputs["d_label_fake"])
    assert worst(fake.detach(), outputs["loss.d_logit_fake"]) < VALUES
    penalty, real = gradient_penalty(
        network,
        pictures["style"],
        small.inputs["d_label_real"],
        raw_size=pictures["raw"].shape[-1],
    )
    loss = discriminator_loss(real, fake, penalty, StyleLossWeights())
    assert worst(loss.detach(), outputs["loss.d_total"]) < GRADIENTS
    named = {"b4_out": network.b4.out.weight, "b512_fromrgb": network.b512.fromrgb.weight}
    gradients = torch.autograd.grad(loss.sum(), list(named.values()))
    for name, gradient in zip(named, gradients, strict=True):
        assert worst(gradient, outputs[f"loss.d_grad_{name}_weight"]) < GRADIENTS


def test_every_stored_number_was_used(small, outputs, request):
    outputs.unread = {name for name in outputs.unread if name.startswith(MINE)}
    assert_all_compared(outputs, request)
