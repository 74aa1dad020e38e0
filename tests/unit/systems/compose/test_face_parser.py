"""Masks by a face parser: whose class a pixel gets, and folders that are none."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from triptych.errors import UserError
from triptych.systems.compose.data.class_maps import numbering
from triptych.systems.compose.data.face_parser import FaceParser, class_ids
from triptych.systems.compose.data.region_set import RegionSet
from triptych.systems.compose.data.writing import write_region_set
from triptych.systems.compose.region_masks import MASK_CLASSES
from triptych.systems.compose.regions import PUBLISHED_ORDER

LABELS = {0: "hair", 1: "skin", 2: "background"}


@pytest.fixture
def photo(tmp_path):
    """A picture of 80 x 64 whose left half is red."""
    (tmp_path / "photos").mkdir()
    pixels = np.zeros((64, 80, 3), np.uint8)
    pixels[:, :40, 0] = 255
    Image.fromarray(pixels).save(tmp_path / "photos" / "a.png")
    return tmp_path / "photos" / "a.png"


@pytest.fixture
def segformer(tmp_path):
    """A folder of a SegFormer of random weights with three classes."""
    from transformers import (
        SegformerConfig,
        SegformerForSemanticSegmentation,
        SegformerImageProcessor,
    )

    torch.manual_seed(0)
    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 8, 8],
        decoder_hidden_size=8,
        num_attention_heads=[1, 1, 1, 1],
        id2label=LABELS,
        label2id={name: number for number, name in LABELS.items()},
    )
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "parser")
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "parser")
    return tmp_path / "parser"


class RedIsHair:
    """Class 0 where a picture is red, class 1 elsewhere, at a quarter of the size."""

    def __call__(self, pixel_values):
        red = torch.nn.functional.avg_pool2d(pixel_values[:, :1], 4)
        return SimpleNamespace(logits=torch.cat([red, 0.5 - red, red * 0 - 9], dim=1))


def half_size(images, return_tensors):
    values = torch.from_numpy(images.copy()).permute(2, 0, 1)[None, :, ::2, ::2].float() / 255
    return {"pixel_values": values}


def test_each_pixel_gets_the_class_of_the_largest_logit(photo, tmp_path):
    parser = FaceParser(RedIsHair(), half_size, class_ids(LABELS))
    classes = parser.of(photo)
    assert classes.shape == (64, 80)
    assert (classes[:, :36] == MASK_CLASSES.index("hair")).all()
    assert (classes[:, 44:] == MASK_CLASSES.index("skin")).all()
    write_region_set(photo.parent, parser, tmp_path / "set", numbering("celebamask"), sizes=(32,))
    image, masks = RegionSet(tmp_path / "set").get(0, 32)
    hair = masks[PUBLISHED_ORDER.index("hair")]
    assert float((hair - (image[0] > 0).float()).abs().mean()) < 0.05


def test_a_folder_of_transformers_is_read(photo, segformer):
    classes = FaceParser.from_folder(segformer).of(photo)
    known = {MASK_CLASSES.index(name) for name in LABELS.values()}
    assert classes.shape == (64, 80)
    assert set(np.unique(classes)) <= known


def test_folders_that_are_no_face_parser(segformer):
    with pytest.raises(UserError, match=r"holds no config\.json; expected a face parser"):
        FaceParser.from_folder(segformer / "nothing")
    config = json.loads((segformer / "config.json").read_text())
    config["id2label"]["0"] = "sofa"
    (segformer / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="a class 'sofa'; expected names of CelebAMask-HQ"):
        FaceParser.from_folder(segformer)
    (segformer / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot load the face parser"):
        FaceParser.from_folder(segformer)
    with pytest.raises(UserError, match="knows no 'hair'"):
        class_ids({0: "background", 1: "skin"})
