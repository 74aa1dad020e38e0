"""Small pickles that ask for much, tensors that are not what they say, and pickles of nonsense."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable

import torch
from pickle_assembly import (
    STOP,
    array,
    call,
    dtype,
    float_storage,
    glob,
    group,
    inside_zip,
    keep,
    kept,
    legacy_file,
    nested,
    number,
    raw,
    sequence,
    storage_id,
    table,
    tensor,
    text,
)


def laughs(depth: int) -> bytes:
    """A list of ten lists of ten lists ... that is as small as its depth."""
    content = b"]"
    for index in range(depth):
        content += keep(index) + sequence(*[kept(index)] * 10)
    return content


def _module(parts: bytes) -> bytes:
    state = table(_parameters=b"}", _buffers=b"}", _modules=parts)
    return glob("training.triplane", "Block") + b")\x81" + state + b"b"


def _shared_modules(depth: int) -> bytes:
    """A network whose parts are shared, so that it has 2^depth of them."""
    content = _module(b"}")
    for index in range(depth):
        content += keep(index) + _module(table(a=kept(index), b=kept(index)))
    return table(G_ema=content)


def _network_with_itself() -> bytes:
    state = b"}(" + text("_parameters") + b"}" + text("_buffers") + b"}"
    state += text("_modules") + table(again=kept(0)) + b"u"
    return table(G_ema=glob("training.triplane", "Block") + b")\x81q\x00" + state + b"b")


def _nested_key(depth: int) -> bytes:
    content = b")"
    for index in range(depth):
        content += keep(index) + kept(index) * 2 + b"\x86"
    return content + keep(depth) + b"}" + kept(depth) + b"Ns"


def _nested_objects(depth: int) -> bytes:
    level = keep(1) + kept(0) + kept(1) + b"\x85R"
    return glob("a", "B") + keep(0) + b"N" + level * depth


def _again_and_again(callee: bytes, *arguments: bytes, times: int) -> bytes:
    """Call something many times with arguments that are written once."""
    content = b"".join(argument + keep(index) for index, argument in enumerate(arguments))
    called = callee + group(*(kept(index) for index in range(len(arguments)))) + b"R"
    return content + (called + b"0") * times + b"N"


_PERSISTENT = glob("torch_utils.persistence", "_reconstruct_persistent_obj")

EXHAUSTING: dict[str, Callable[[], bytes]] = {
    "lists by reference": lambda: laughs(200),
    "lists by reference as settings": lambda: table(
        G_ema=table(state_dict=laughs(100), init_kwargs=laughs(100))
    ),
    "shared parts of a network": lambda: _shared_modules(60),
    "a network inside itself": _network_with_itself,
    "a list inside itself": lambda: b"]q\x00h\x00a",
    "tuples nested 200,000 deep": lambda: b")" + b"\x85" * 200_000,
    "lists nested 200,000 deep": lambda: b"]" * 200_000 + b"a" * 199_999,
    "dictionaries nested 200,000 deep": lambda: b"}N" * 200_000 + b"N" + b"s" * 200_000,
    "objects nested 100,000 deep": lambda: _nested_objects(100_000),
    "a key that is a nested tuple": lambda: _nested_key(90),
    "keys that all hash alike": lambda: (
        b"}(" + b"".join(number(k * (2**61 - 1)) + b"N" for k in range(1, 60_000)) + b"u"
    ),
    "2 million instructions": lambda: b"N0" * 1_000_000,
    "2 million objects": lambda: b"\x8f" * 2_000_000,
    "2 million marks": lambda: b"(" * 2_000_000,
    "bytes of 2^63": lambda: b"\x8e" + struct.pack("<Q", 2**63),
    "bytes of 4 GB": lambda: b"B\xff\xff\xff\xff",
    "text of 2^62": lambda: b"\x8d" + struct.pack("<Q", 2**62),
    "a frame of 2^60": lambda: b"\x95" + struct.pack("<Q", 2**60) + b"N",
    "a bytearray of 2^40": lambda: b"\x96" + struct.pack("<Q", 2**40),
    "a number of 2 GB": lambda: b"\x8b\xff\xff\xff\x7f",
    "a number of negative length": lambda: b"\x8b\xff\xff\xff\xff",
    "a decimal number of 200,000 digits": lambda: b"L" + b"9" * 200_000 + b"L\n",
    "bytearray(10**12)": lambda: call(glob("builtins", "bytearray"), number(10**12)),
    "bytes(10**12)": lambda: call(glob("builtins", "bytes"), number(10**12)),
    "list(range(10**12))": lambda: call(
        glob("builtins", "list"), call(glob("builtins", "range"), number(10**12))
    ),
    "the same text encoded again and again": lambda: _again_and_again(
        glob("_codecs", "encode"), text("x" * 900_000), text("latin1"), times=3000
    ),
    "the same list copied again and again": lambda: _again_and_again(
        glob("torch", "Size"), sequence(*[b"K\x01"] * 20_000), times=10_000
    ),
    "the same storage read again and again": lambda: _again_and_again(
        glob("torch.storage", "_load_from_bytes"),
        raw(legacy_file(storage_id(1), sequence(text("0")), struct.pack("<q", 1) + bytes(4))),
        times=60_000,
    ),
}
"""Expressions that would take hours, or all memory, if they were believed."""


def _archive_tensor(count: int, key: str = "0") -> bytes:
    identifier = group(
        text("storage"), glob("torch", "FloatStorage"), text(key), text("cpu"), number(count)
    )
    return tensor(identifier + b"Q", 0, (count,), (1,)) + STOP


def _twice() -> bytes:
    data = (struct.pack("<q", 1) + bytes(4)) * 2
    return nested(legacy_file(storage_id(1), sequence(text("0"), text("0")), data))


def _other_byte_order() -> bytes:
    mark = text("little_endian")
    return legacy_file(storage_id(0)).replace(mark + b"\x88", mark + b"\x89")


UNREADABLE: dict[str, Callable[[], bytes]] = {
    "an array of 10^15 numbers": lambda: array(group(number(10**15)), "f4", raw(bytes(16))),
    "an array whose size overflows": lambda: array(
        group(*[number(2**47)] * 30), "f8", raw(bytes(16))
    ),
    "an array of negative size": lambda: array(group(number(-4)), "f4", raw(bytes(16))),
    "an array of objects": lambda: array(group(number(1)), "O8", sequence(b"N")),
    "an array of no type": lambda: array(group(number(1)), "c3", raw(bytes(3))),
    "an array of texts": lambda: array(group(number(1)), "S4", raw(bytes(4))),
    "an array of 40 dimensions": lambda: array(group(*[number(1)] * 40), "f4", raw(bytes(4))),
    "an array without a state": lambda: call(glob("numpy._core.multiarray", "_reconstruct")),
    "an expanded tensor": lambda: tensor(float_storage(1), 0, (10**6, 10**6), (0, 0)),
    "a tensor that repeats its numbers": lambda: tensor(float_storage(64), 0, (63, 63), (1, 1)),
    "a tensor beyond its storage": lambda: tensor(float_storage(4), 1, (4,), (1,)),
    "a tensor far beyond its storage": lambda: tensor(float_storage(4), 2**47, (4,), (1,)),
    "a tensor with a stride beyond": lambda: tensor(float_storage(4), 0, (2, 2), (2**40, 1)),
    "a tensor without data": lambda: tensor(nested(legacy_file(storage_id(4))), 0, (4,), (1,)),
}
"""Values that can be described but not read."""

CONTRADICTORY: dict[str, Callable[[], bytes]] = {
    "a scalar without bytes": lambda: call(
        glob("numpy.core.multiarray", "scalar"), dtype("f8"), raw(b"")
    ),
    "a scalar of objects": lambda: call(
        glob("numpy.core.multiarray", "scalar"), dtype("O8"), raw(bytes(8))
    ),
    "a tensor of negative size": lambda: tensor(float_storage(4), 0, (-4,), (1,)),
    "a tensor of negative stride": lambda: tensor(float_storage(4), 3, (4,), (-1,)),
    "a tensor at a negative offset": lambda: tensor(float_storage(4), -1, (4,), (1,)),
    "a tensor of 2^200 numbers": lambda: tensor(float_storage(4), 0, (2**200,), (1,)),
    "a tensor of 40 dimensions": lambda: tensor(float_storage(4), 0, (1,) * 40, (1,) * 40),
    "a tensor of fewer strides": lambda: tensor(float_storage(4), 0, (2, 2), (1,)),
    "a storage that claims 10^12": lambda: float_storage(4, claimed=10**12),
    "a storage that claims 2^60": lambda: float_storage(4, claimed=2**60),
    "a storage that claims less": lambda: nested(
        legacy_file(storage_id(2), sequence(text("0")), struct.pack("<q", 1) + bytes(4))
    ),
    "a storage of no known kind": lambda: nested(legacy_file(storage_id(4, kind="QInt8Storage"))),
    "a storage listed twice": _twice,
    "a storage listed under another key": lambda: nested(
        legacy_file(storage_id(1), sequence(text("7")), bytes(12))
    ),
    "two storages under one key": lambda: nested(
        legacy_file(storage_id(1) + storage_id(2), sequence(text("0")), bytes(12))
    ),
    "keys that are numbers": lambda: nested(legacy_file(storage_id(1), sequence(number(0)))),
    "no storage in a storage's place": lambda: nested(legacy_file(b"N")),
    "another version of torch's format": lambda: nested(
        legacy_file(storage_id(0)).replace(number(1001), number(1002))
    ),
    "the other byte order": lambda: nested(_other_byte_order()),
    "a persistent id that is no storage": lambda: nested(
        legacy_file(group(text("storage")) + b"Q")
    ),
    "a persistent id of a text": lambda: nested(legacy_file(b"Psomething\n")),
    "bytes written as text that no bytes give": lambda: call(
        glob("_codecs", "encode"), text("\u20ac"), text("latin1")
    ),
}
"""Expressions that are refused while they are read."""

ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a giant storage": lambda: inside_zip(_archive_tensor(10**12)),
    "a storage that is longer than claimed": lambda: inside_zip(_archive_tensor(2)),
    "a storage it lacks": lambda: inside_zip(_archive_tensor(4, key="9")),
    "a storage outside itself": lambda: inside_zip(_archive_tensor(4, key="../../secret")),
    "a persistent id that is no storage": lambda: inside_zip(group(text("x")) + b"Q" + STOP),
    "a key that is a number": lambda: inside_zip(
        group(text("storage"), glob("torch", "FloatStorage"), b"K\x00", text("cpu"), b"K\x04")
        + b"Q"
        + STOP
    ),
}
"""Torch archives whose pickles do not fit what is beside them."""

MALFORMED: dict[str, bytes] = {
    "only an end": b".",
    "no end": b"\x80\x04N",
    "unknown instruction": b"\x80\x04\xff.",
    "protocol 9": b"\x80\x09N.",
    "takes from nothing": b"0.",
    "tuple of nothing": b"\x85.",
    "appends to nothing": b"Na.",
    "appends to a number": b"K\x01K\x02a.",
    "sets items of a text": text("x") + b"NNs.",
    "a key without a value": b"}(Nu.",
    "no mark": b"t.",
    "below the mark": b"N(0.",
    "takes what is below the mark": b"N(a.",
    "recalls nothing": b"h\x07.",
    "recalls a huge number": b"g999999999999999999999\n.",
    "keeps nothing": b"q\x00.",
    "keeps at a negative number": b"Np-5\n.",
    "builds nothing": b"b.",
    "calls with a number": glob("os", "system") + b"K\x01R.",
    "calls nothing": b"R.",
    "an object of nothing": b"(o.",
    "named arguments that are a list": glob("a", "b") + b")]\x92.",
    "names a number": b"K\x01K\x02\x93.",
    "a name without end": b"cos",
    "a name that is no text": b"c\xff\xfe\n\xff\n.",
    "a name of a megabyte": b"c" + b"x" * (1 << 20) + b"\ny\n.",
    "a name of a megabyte on the stack": text("x" * (1 << 20)) + text("y") + b"\x93.",
    "text that is no text": b"X\x02\x00\x00\x00\xff\xfe.",
    "quotes missing": b"Sabc\n.",
    "escape broken": b"S'\\x'\n.",
    "raw text broken": b"V\\u12\n.",
    "no number": b"Ix\n.",
    "no long number": b"LxL\n.",
    "no float": b"Fx\n.",
    "float cut": b"G\x00\x00.",
    "buffer from outside": b"\x80\x05\x97.",
    "read-only buffer": b"\x80\x05\x98.",
    "a list as key": b"}]Ns.",
    "a list in a set": b"\x80\x04\x8f(]\x90.",
    "an extension that is none": b"\x80\x02\x82\x00)R.",
    "a number": pickle.dumps(3),
    "a text": pickle.dumps("G_ema"),
    "an empty dictionary": pickle.dumps({}),
    "G_ema is a number": pickle.dumps({"G_ema": 3}),
    "G_ema is None": pickle.dumps({"G_ema": None}),
    "G_ema is a table of numbers": pickle.dumps({"G_ema": {"backbone.mapping.w_avg": 3}}),
    "G_ema is an empty table": pickle.dumps({"G_ema": {}}),
    "G_ema is a layer": pickle.dumps({"G_ema": torch.nn.Linear(2, 2)}),
    "a persistent record of nothing": table(G_ema=call(_PERSISTENT)) + STOP,
    "a persistent record of a list": table(G_ema=call(_PERSISTENT, b"]")) + STOP,
    "a persistent record of another version": table(
        G_ema=call(
            _PERSISTENT,
            table(type=text("class"), version=number(99), class_name=text("X"), state=b"}"),
        )
    )
    + STOP,
    "a persistent record without a state": table(
        G_ema=call(_PERSISTENT, table(type=text("class"), version=number(6), class_name=text("X")))
    )
    + STOP,
}
"""Not pickles, or pickles of something else."""
