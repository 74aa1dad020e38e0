"""Random damage: whatever is done to a file, it is read or refused, quickly and in few bytes."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from eg3d_pickles import EG3DWriter, derived_file, eg3d_pickle, tiny_eg3d
from exhausting_pickles import CONTRADICTORY, EXHAUSTING, UNREADABLE
from pickle_assembly import (
    array,
    call,
    dtype,
    float_storage,
    glob,
    group,
    inside_zip,
    legacy_file,
    number,
    raw,
    sequence,
    table,
    tensor,
    text,
)

from triptych.errors import UserError
from triptych.weights.checkpoint_sections import contents_in_words, sections_of
from triptych.weights.eg3d_checkpoint import open_eg3d_checkpoint
from triptych.weights.untrusted.known_calls import KNOWN_CALLS
from triptych.weights.untrusted.numpy_values import NumpyArray
from triptych.weights.untrusted.tensor_values import StoredTensor
from triptych.weights.untrusted.untrusted_file import read_untrusted

MEGABYTE = 1 << 20
SECONDS_PER_FILE = 5.0


@cache
def small_files() -> dict[str, bytes]:
    """Valid files of every form, a few kilobytes each."""
    writer = EG3DWriter()
    layer = writer.copy("FullyConnectedLayer", torch.nn.Linear(3, 2))
    decoder = writer.plain("OSGDecoder", hidden_dim=64)
    decoder.net = torch.nn.Sequential(layer, torch.nn.Softplus())
    network = writer.persistent(
        "TriPlaneGenerator",
        None,
        neural_rendering_resolution=np.int64(64),
        rendering_kwargs={"ray_start": 2.25, "pivot": [0, 0, 0.2], "module": "a.b.C"},
        plane_axes=np.eye(3),
    )
    network.add_module("decoder", decoder)
    content = {"training_set_kwargs": {"path": "faces.zip"}, "G_ema": network, "D": None}
    files = {f"pickle {protocol}": writer.dumps(content, protocol) for protocol in range(6)}
    files["numpy 1"] = writer.dumps(content, 4, numpy_1=True)
    table = {"G_ema": torch.nn.Linear(3, 2).state_dict(), "init_kwargs": {"z_dim": 8}}
    for newer in (True, False):
        stream = io.BytesIO()
        torch.save(table, stream, _use_new_zipfile_serialization=newer)
        files[f"torch {'archive' if newer else 'old'}"] = stream.getvalue()
    return files


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one to four random changes."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not changed:
            break
        place = int(rng.integers(len(changed)))
        length = int(rng.integers(1, 9))
        kind = rng.integers(7)
        if kind == 0:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[place] = int(rng.integers(256))
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = rng.bytes(length)
        elif kind == 4:
            other = int(rng.integers(len(changed)))
            changed[place : place + 4 * length] = changed[other : other + 4 * length]
        elif kind == 5:
            changed[place : place + length] = b"\xff" * length
        else:
            changed = changed[: max(1, place)]
    return bytes(changed)


VALUES = (
    *(b"N", b"\x88", b"\x89", b"K\x00", b"K\x01", b"K\x03", b"J\xff\xff\xff\xff", number(2**70)),
    *(b")", b"]", b"}", b"\x8f", b"(K\x02K\x03t", b"(K\x03K\x01t", b"G?\xf8" + bytes(6)),
    *(text(""), text("latin1"), text("f4"), text("<"), text("_modules"), text("class")),
    *(raw(b""), raw(bytes(24)), b"C\x04abcd", b"I01\n", b"F1.5\n", b"S'a'\n", b"Vx\n"),
    *(float_storage(6), tensor(float_storage(6), 0, (2, 3), (3, 1)), dtype("f4")),
    *(array(group(number(6)), "f4", raw(bytes(24))), table(a=b"N"), sequence(b"N", b"K\x02")),
)
NAMES = [*KNOWN_CALLS, "torch.FloatStorage", "numpy.ndarray", "builtins.object", "a.B", "os.system"]
NAMES += ["torch_utils.persistence._reconstruct_persistent_obj", "torch.float32", "torch.device"]
ACTIONS = (
    b"t",
    b"(",
    b"\x85",
    b"\x86",
    b"\x87",
    b"R",
    b"b",
    b"e",
    b"u",
    b"s",
    b"a",
    b"0",
    b"2",
    b"l",
)
ACTIONS += (b"d", b"o", b"\x81", b"\x92", b"\x90", b"\x91", b"Q", b"\x94", b"q\x01", b"h\x01", b"1")


def random_program(rng: np.random.Generator) -> bytes:
    """Return instructions in random order; calls of known functions are frequent."""
    parts = [VALUES[rng.integers(len(VALUES))] for _ in range(4)]
    for _ in range(rng.integers(5, 40)):
        kind = rng.integers(4)
        if kind == 0:
            parts.append(VALUES[rng.integers(len(VALUES))])
        elif kind == 1:
            parts.append(ACTIONS[rng.integers(len(ACTIONS))])
        else:
            module, _, name = NAMES[rng.integers(len(NAMES))].rpartition(".")
            arguments = [VALUES[rng.integers(len(VALUES))] for _ in range(rng.integers(8))]
            parts.append(call(glob(module, name), *arguments))
            if rng.random() < 0.3:
                parts.append(VALUES[rng.integers(len(VALUES))] + b"b")
    return b"".join(parts)


def run_programs(path: Path, rng: np.random.Generator, count: int) -> None:
    """Read random programs in every form; keep count of those that came to an end."""
    ended = 0
    for index in range(count):
        program = random_program(rng)
        form = index % 3
        if form == 0:
            content = b"\x80\x04" + program + b"."
        elif form == 1:
            content = legacy_file(program)
        else:
            content = inside_zip(program + b".")
        path.write_bytes(content)
        read_all(path)
        try:
            read_untrusted(path)
            ended += 1
        except UserError:
            pass
    assert ended > count // 20, "the programs are too random to test anything"


def read_values(values: list[object]) -> None:
    """Read the tensors and arrays among some values, or be told why not."""
    for value in values:
        with suppress(UserError):
            if isinstance(value, StoredTensor):
                value.read()
            elif isinstance(value, NumpyArray):
                value.array()


def read_all(path: Path) -> None:
    """Read everything in a file that can be read; only a `UserError` may come out."""
    with suppress(UserError):
        file = read_untrusted(path)
        sections = sections_of(file.content)
        contents_in_words(file.content, sections)
        for section in sections.values():
            read_values([*section.tensors.values(), *section.settings.values()])
        whole = file.content
        read_values([whole, *(whole if isinstance(whole, list | tuple) else ())])
        file.refuse_dangerous_names()
    with pytest.raises(UserError):
        open_eg3d_checkpoint(path)


def fuzz(path: Path, content: bytes, rng: np.random.Generator, count: int) -> None:
    for _ in range(count):
        path.write_bytes(damaged(content, rng))
        started = time.process_time()
        read_all(path)
        assert time.process_time() - started < SECONDS_PER_FILE


def most_memory(work: Callable[[], None]) -> int:
    """Return by how many bytes a process grew at most while it did some work."""
    if not sys.platform.startswith("linux"):
        pytest.skip("memory is measured as Linux counts it")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            Path("/proc/self/clear_refs").write_text("5")  # forget the largest size so far
            before = _kilobytes("VmHWM")
            work()
            os.write(writer, str((_kilobytes("VmHWM") - before) * 1024).encode())
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    said = os.read(reader, 100)
    os.close(reader)
    _, status = os.waitpid(child, 0)
    assert status == 0, "the work itself failed"
    return int(said)


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def test_the_undamaged_files_are_read():
    for name, content in small_files().items():
        assert len(content) < 20_000, name


@pytest.mark.parametrize("name", small_files())
def test_an_undamaged_file_has_its_network(tmp_path, name):
    path = tmp_path / "file"
    path.write_bytes(small_files()[name])
    tensors = sections_of(read_untrusted(path).content)["G_ema"].tensors
    prefix = "" if "torch" in name else "decoder.net.0."
    assert {name: t.shape for name, t in tensors.items()} == {
        f"{prefix}weight": (2, 3),
        f"{prefix}bias": (2,),
    }


@pytest.mark.parametrize("name", small_files())
def test_damage_is_noticed_or_harmless(tmp_path, name):
    seed = sorted(small_files()).index(name)
    fuzz(tmp_path / "file", small_files()[name], np.random.default_rng(seed), 60)


def test_random_programs_end_or_are_refused(tmp_path):
    run_programs(tmp_path / "file", np.random.default_rng(3), 600)


@pytest.mark.slow
def test_many_random_programs_end_or_are_refused(tmp_path):
    rng = np.random.default_rng(4)
    grown = most_memory(lambda: run_programs(tmp_path / "file", rng, 20_000))
    assert grown < 1024 * MEGABYTE


def test_damage_takes_no_memory(tmp_path):
    rng = np.random.default_rng(99)

    def work() -> None:
        for content in small_files().values():
            fuzz(tmp_path / "file", content, rng, 5)

    assert most_memory(work) < 200 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("name", small_files())
def test_much_damage_is_noticed_or_harmless(tmp_path, name):
    seed = 1000 + sorted(small_files()).index(name)
    rng = np.random.default_rng(seed)
    grown = most_memory(lambda: fuzz(tmp_path / "file", small_files()[name], rng, 2000))
    assert grown < 1024 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pickle", "archive", "old"])
def test_damage_to_whole_checkpoints(tmp_path, form):
    content = whole_checkpoint(form)
    rng = np.random.default_rng(5)
    path = tmp_path / "file"
    accepted = 0
    for _ in range(150):
        path.write_bytes(damaged(content, rng))
        with suppress(UserError):
            open_eg3d_checkpoint(path).tensors()
            accepted += 1
    assert accepted < 150


def whole_checkpoint(form: str) -> bytes:
    if form == "pickle":
        return eg3d_pickle(tiny_eg3d())
    stream = io.BytesIO()
    newer = form == "archive"
    torch.save(derived_file(tiny_eg3d()), stream, _use_new_zipfile_serialization=newer)
    return stream.getvalue()


def refuse(path: Path) -> None:
    with pytest.raises(UserError):
        open_eg3d_checkpoint(path)


@pytest.mark.parametrize(
    "name",
    [
        "2 million objects",
        "keys that all hash alike",
        "the same text encoded again and again",
        "the same list copied again and again",
        "list(range(10**12))",
    ],
)
def test_exhausting_files_take_little_memory(tmp_path, name):
    content = b"\x80\x04" + EXHAUSTING[name]() + b"."
    path = tmp_path / "file"
    path.write_bytes(content)
    assert most_memory(lambda: refuse(path)) < 2 * len(content) + 1024 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EXHAUSTING, *UNREADABLE, *CONTRADICTORY])
def test_no_hostile_file_takes_much_memory(tmp_path, name):
    made = {**EXHAUSTING, **UNREADABLE, **CONTRADICTORY}[name]()
    content = b"\x80\x04" + made + b"."
    path = tmp_path / "file"
    path.write_bytes(content)
    assert most_memory(lambda: refuse(path)) < 2 * len(content) + 1024 * MEGABYTE


COSTLY = {
    "short bytes": lambda: b"\x80\x04" + (b"C\xff" + b"x" * 255) * 900_000,
    "views of the file": lambda: b"\x80\x04" + (b"B\x00\x01\x00\x00" + b"x" * 256) * 900_000,
    "wide short texts": lambda: (
        b"\x80\x04" + (b"\x8c\xfb" + "\U0001f600".encode() + b"x" * 247) * 250_000
    ),
    "wide long texts": lambda: (
        b"\x80\x04" + (b"X\x00\x00\x10\x00" + "\U0001f600".encode() + b"x" * ((1 << 20) - 4)) * 63
    ),
    "names": lambda: b"\x80\x04" + b"".join(b"cm%d\nname\n" % index for index in range(900_000)),
    "numbers": lambda: b"\x80\x04" + (b"\x8a\xff" + b"\x7f" * 255) * 900_000,
    "kept dictionaries": lambda: b"\x80\x04" + b"}\x94" * 499_000,
    "kept sets": lambda: b"\x80\x05" + b"\x8f\x94" * 499_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COSTLY)
def test_the_costliest_files_within_the_limits(tmp_path, name):
    path = tmp_path / "file"
    content = COSTLY[name]() + b"N."
    path.write_bytes(content)
    length = len(content)
    del content
    assert most_memory(lambda: refuse(path)) < 2 * length + 1024 * MEGABYTE
