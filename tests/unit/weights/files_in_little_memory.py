"""Run by itself: opens tampered files in a gigabyte of memory and prints what each refusal cost."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

sys.path.append(sys.argv[2])

import pytest  # noqa: E402
from tampered_files import load, parts, rewritten, with_field, with_table  # noqa: E402

from triptych.errors import UserError  # noqa: E402

SECONDS = 10.0
GIGABYTE = 2**30
PATH = Path(sys.argv[1]) / "a.safetensors"
FIELDS, TENSORS = parts("portrait")


def one_tensor(dtype: str, shape: list[int], end: int = 0) -> dict[str, object]:
    """Return a table of one tensor, with the header of a portrait."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}
    return {"__metadata__": {"triptych": json.dumps(FIELDS)}, "planes": entry}


def deep_header() -> bytes:
    """Return a table whose metadata hold lists within lists."""
    text = json.dumps({**FIELDS, "provenance": "here"})
    nested = text.replace('"here"', "[" * 200_000 + "]" * 200_000)
    return json.dumps({"__metadata__": {"triptych": nested}}).encode()


def many_keys() -> bytes:
    """Return a table of one and a half million tensors of no numbers."""
    entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    return ("{" + ",".join(f'"k{index}":{entry}' for index in range(1_500_000)) + "}").encode()


def refused(kind: str, what: str) -> None:
    """See that the file is refused in one line and in time."""
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        load(kind, PATH)
    assert str(caught.value).replace("\n", "").isprintable()
    spent = time.process_time() - started
    assert spent < SECONDS, f"{what} took {spent:.1f} s"
    print(what)


BY_HAND = {
    "many keys": with_table(many_keys()),
    "deep table": with_table(b"[" * 200_000 + b"]" * 200_000),
    "deep header": with_table(deep_header()),
    "endless table": (2**62).to_bytes(8, "little") + b"{",
    "negative size": with_table(json.dumps(one_tensor("U8", [-1])).encode()),
    "huge empty size": with_table(json.dumps(one_tensor("U8", [2**62, 0])).encode()),
    "huge sizes": with_table(json.dumps(one_tensor("F32", [2**40] * 2)).encode()),
}
BY_FIELD = [
    ("portrait", "decoder.num_hidden", 30_000_000),
    ("portrait", "decoder.num_hidden", 4096),
    ("portrait", "render_size", 100_000),
    ("portrait", "rendering.num_coarse", 10**9),
    ("portrait", "backbone.plane_size", 1024),
    ("portrait", "backbone.plane_channels", 256),
    ("generator", "mapping.num_layers", 10_000_000),
    ("generator", "mapping.num_layers", 64),
    ("generator", "z_dim", 4096),
    ("generator", "w_dim", 4096),
    ("generator", "backbone.channel_max", 20_000),
    ("encoder", "units", [64, 64, 64, 64]),
    ("encoder", "widths", [4096] * 4),
    ("features", "channels", [4096] * 5),
    ("landmarks", "channels", [4096] * 4),
    ("discriminator", "channel_base", 2**20),
    ("image-to-triplane", "code_channels", 4096),
]
for made in {kind for kind, _, _ in BY_FIELD}:
    parts(made)

mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + GIGABYTE, -1))

for name, content in BY_HAND.items():
    PATH.write_bytes(content)
    refused("portrait", name)
for network, where, value in BY_FIELD:
    fields, tensors = parts(network)
    rewritten(PATH, with_field(fields, f"config.{where}", value), tensors)
    refused(network, f"{where} = {value}")
rewritten(PATH, FIELDS, TENSORS)
with open(PATH, "r+b") as stream:
    stream.truncate(10 * GIGABYTE)
refused("portrait", "a hole behind the tensors")
PATH.write_bytes(with_table(json.dumps(one_tensor("F32", [2**31], 2**33)).encode()))
with open(PATH, "r+b") as stream:
    stream.truncate(PATH.stat().st_size + 8 * GIGABYTE)
refused("portrait", "a hole for planes")
