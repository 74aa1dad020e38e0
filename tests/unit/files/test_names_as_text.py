"""Names of files are any bytes; what is written of them is always text."""

from __future__ import annotations

import io
import json
import os
import re
import sys

import numpy as np
import pytest

from triptych.cli.main import main
from triptych.errors import printable
from triptych.files import atomic_write, json_values, read_json, write_json
from triptych.runs import console
from triptych.runs.report_file import markdown_line

UNUSUAL = (
    "\udce9",
    "\ud83d",
    "\x1b[31m",
    "\n",
    "\r",
    "\x00",
    "|",
    "\\",
    "\u202e",
    "\u2028",
    "\x85",
)


def random_name(rng: np.random.Generator) -> str:
    """Return a name of random bytes, as os.listdir would, with some unusual letters in it."""
    decoded = os.fsdecode(bytes(rng.integers(1, 256, rng.integers(0, 12), dtype=np.uint8)))
    return decoded.join(rng.choice(UNUSUAL, rng.integers(0, 4)))


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_whatever_a_name_is(tmp_path, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        name = random_name(rng)
        shown = printable(name)
        assert all(line.isprintable() for line in shown.split("\n"))
        assert shown.isprintable() or "\n" in name
        row = markdown_line([name, 1.5, None])
        assert row.isprintable()
        assert len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) >= 4
        values = json_values({name: [name, {"file": name}]})
        assert values == json_values(values), "what was escaped is text"
        assert json.loads(json.dumps(values, ensure_ascii=False).encode("utf-8")) == values
    write_json(tmp_path / "last.json", {name: name})
    assert read_json(tmp_path / "last.json") == json_values({name: name})


def test_plain_text_is_left_alone():
    for text in ("photo.jpg", "Z\u00fcrich \u6771\u4eac \U0001f600", "two\nlines", ""):
        assert printable(text) == text
        assert json_values({text: text}) == {text: text}


def test_what_is_escaped_can_be_read():
    assert printable("caf\udce9") == r"caf\udce9"
    assert json_values(("caf\udce9", 1, None)) == [r"caf\udce9", 1, None]
    assert printable("\x1b[2J\r") == r"\x1b[2J\r"
    assert markdown_line(["a|b\nc", 0.25]) == r"| a\|b c | 0.250 |"


def test_text_files_take_any_name(tmp_path):
    with atomic_write(tmp_path / "a.md", "w") as stream:
        stream.write("caf\udce9 caf\u00e9")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "caf\\udce9 caf\u00e9"


def narrow(monkeypatch) -> list[io.BytesIO]:
    """Let stdout and stderr be ASCII, as with PYTHONIOENCODING=ascii, and return what they get."""
    got = [io.BytesIO(), io.BytesIO()]
    for name, raw in zip(("stdout", "stderr"), got, strict=True):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    return got


def test_a_narrow_terminal_gets_escapes(monkeypatch):
    out, err = narrow(monkeypatch)
    assert main(["render", "caf\u00e9 \udce9.safetensors"]) == 2
    assert b"cannot read caf\\xe9 \\udce9.safetensors" in err.getvalue()
    console.result("\u6771")
    console.table(("name",), [("Z\u00fcrich",)])
    assert out.getvalue() == b"\\u6771\nname\nZ\\xfcrich\n"


@pytest.mark.parametrize("words", [["--help"], ["render", "--help"], ["models"]])
def test_everything_is_shown_on_a_narrow_terminal(monkeypatch, words):
    out, err = narrow(monkeypatch)
    assert main(words) == 0
    assert len(out.getvalue()) > 100
    assert err.getvalue() == b""
