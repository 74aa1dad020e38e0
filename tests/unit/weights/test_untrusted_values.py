"""Plain data in pickles of every protocol and every form comes back as it was."""

from __future__ import annotations

import collections
import io
import pickle
import types

import numpy as np
import pytest
import torch
from eg3d_pickles import EG3DWriter
from pickle_assembly import STOP, array, call, dtype, glob, group, number, raw, text

from triptych.errors import UserError
from triptych.weights.untrusted.inert import GlobalName, InertObject, LongText, OpaqueKey
from triptych.weights.untrusted.tensor_values import StoredTensor
from triptych.weights.untrusted.untrusted_file import read_untrusted

TENSORS = {
    "matrix": torch.arange(6.0).reshape(2, 3),
    "transposed": torch.arange(6.0).reshape(2, 3).T,
    "column": torch.arange(12.0).reshape(3, 4)[:, 2],
    "parameter": torch.nn.Parameter(torch.ones(2)),
    "truths": torch.tensor([True, False, True]),
    "half": torch.ones(3).half(),
    "brain": torch.full((3,), 1.5).bfloat16(),
    "double": torch.tensor([1e-300]).double(),
    "whole": torch.tensor([-(2**40)]),
    "complex": torch.tensor([1 + 2j]),
    "empty": torch.empty(0, 3),
    "single": torch.tensor(4.0),
}
ARRAYS = {
    "matrix": np.arange(6.0).reshape(2, 3),
    "by columns": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "big-endian": np.arange(3, dtype=">f4"),
    "truths": np.array([True, False]),
    "single": np.array(3.5),
    "empty": np.zeros((0, 2), np.float32),
    "long": np.arange(2000, dtype=np.float32),
}
PLAIN = {
    "text": "h\u00e9llo\nw\\orld \U0001f600",
    "numbers": (1, -5, 300, 70_000, -(2**40), 2**100, 1.5, float("inf")),
    "nothing": None,
    "truths": [True, False],
    "empty": ([], (), {}, ""),
    "tuples": ((1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "nested": {"a": {"b": [{"c": 1}]}, 3: "three", None: 0, True: 1},
    "set": {1, 2, "x"},
    "frozen": frozenset([3, 4]),
    "ordered": collections.OrderedDict(first=1, second=2),
    "default": collections.defaultdict(int, a=1),
    "complex": 1 + 2j,
}
FORMS = [*(("pickle", protocol) for protocol in range(6)), ("archive", 2), ("old", 2), ("old", 4)]


def written(value, form, protocol, **options):
    """Return the bytes of a value in one form."""
    if form == "pickle":
        return pickle.dumps(value, protocol)
    stream = io.BytesIO()
    torch.save(
        value,
        stream,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=form == "archive",
    )
    return stream.getvalue()


def read_back(tmp_path, content: bytes):
    (tmp_path / "file").write_bytes(content)
    return read_untrusted(tmp_path / "file").content


@pytest.mark.parametrize(("form", "protocol"), FORMS)
def test_plain_data(tmp_path, form, protocol):
    assert read_back(tmp_path, written(PLAIN, form, protocol)) == PLAIN


@pytest.mark.parametrize(("form", "protocol"), FORMS)
def test_bytes(tmp_path, form, protocol):
    value = {"short": b"abc", "none": b"", "long": bytes(range(256)) * 9, "array": bytearray(b"x")}
    found = read_back(tmp_path, written(value, form, protocol))
    assert {name: bytes(item) for name, item in found.items()} == value


@pytest.mark.parametrize(("form", "protocol"), FORMS)
def test_tensors(tmp_path, form, protocol):
    found = read_back(tmp_path, written(TENSORS, form, protocol))
    for name, tensor in TENSORS.items():
        read = found[name].read()
        assert read.dtype == tensor.dtype
        assert found[name].shape == tuple(tensor.shape)
        assert read.is_contiguous()
        assert torch.equal(read, tensor.detach())


def test_tensors_that_share_their_numbers(tmp_path):
    base = torch.arange(10.0)
    value = [base, base[2:5], base.reshape(2, 5).T]
    for form in ("pickle", "archive", "old"):
        found = read_back(tmp_path, written(value, form, 4))
        assert all(torch.equal(a.read(), b) for a, b in zip(found, value, strict=True))


@pytest.mark.parametrize(("form", "protocol"), FORMS)
def test_arrays_and_their_scalars(tmp_path, form, protocol):
    value = {**ARRAYS, "scalar": np.float64(2.5), "count": np.int32(7)}
    found = read_back(tmp_path, written(value, form, protocol))
    assert (found["scalar"], found["count"]) == (2.5, 7)
    assert (type(found["scalar"]), type(found["count"])) == (float, int)
    for name, expected in ARRAYS.items():
        read = found[name].array()
        assert read.dtype == expected.dtype
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("protocol", range(2, 5))
def test_arrays_of_numpy_1(tmp_path, protocol):
    content = EG3DWriter().dumps({"a": ARRAYS["matrix"], "s": np.sqrt(2)}, protocol, numpy_1=True)
    assert b"numpy.core.multiarray" in content
    assert b"numpy._core" not in content
    found = read_back(tmp_path, content)
    np.testing.assert_array_equal(found["a"].array(), ARRAYS["matrix"])
    assert found["s"] == np.sqrt(2)


def test_arrays_of_python_2(tmp_path):
    # its bytes are texts of one byte per character
    content = b"U\x08" + np.array([1.5]).tobytes()
    found = read_back(tmp_path, array(group(number(1)), "f8", content) + STOP)
    np.testing.assert_array_equal(found.array(), [1.5])
    assert read_back(tmp_path, b"S'two\\n words'\n.") == "two\n words"


def test_structured_arrays_are_not_read(tmp_path):
    value = np.zeros(2, dtype=[("a", "f4"), ("b", "f4")])
    with pytest.raises(UserError, match="does not hold plain numbers"):
        read_back(tmp_path, pickle.dumps(value)).array()


@pytest.mark.parametrize("protocol", range(6))
def test_objects_stay_inert(tmp_path, protocol):
    value = types.SimpleNamespace(width=3, inner=types.SimpleNamespace(depth=4))
    found = read_back(tmp_path, pickle.dumps(value, protocol))
    assert type(found) is InertObject
    assert (found.module, found.name) == ("types", "SimpleNamespace")
    assert found.state["width"] == 3
    assert found.state["inner"].state == {"depth": 4}


def test_calls_keep_their_arguments(tmp_path):
    thing = glob("some.module", "Thing")
    found = read_back(tmp_path, call(thing, number(1), text("two")) + STOP)
    assert found.callee == GlobalName("some.module", "Thing")
    assert found.arguments == (1, "two")
    named = read_back(tmp_path, b"\x80\x04" + thing + b")}" + text("a") + b"K\x05s\x92" + STOP)
    assert named.keywords == {"a": 5}
    filled = read_back(tmp_path, call(thing) + b"K\x01aK\x02K\x03s" + STOP)
    assert (filled.items, filled.pairs) == ([1], [(2, 3)])


def test_extension_codes_are_not_looked_up(tmp_path):
    found = read_back(tmp_path, b"\x80\x02\x82\x07)R.")
    assert found.callee == GlobalName("copyreg.extension", "7")


def test_keys_that_are_no_plain_values_are_set_apart(tmp_path):
    found = read_back(tmp_path, pickle.dumps({(1, 2): "a", 2**70: "b", 1.5: "c", b"x": "d"}))
    assert list(found.values()) == ["a", "b", "c", "d"]
    assert all(type(key) is OpaqueKey for key in found)
    assert next(iter(found)).key == (1, 2)


def test_long_text_stays_in_the_file(tmp_path):
    words = "\u00e9" * 600_000  # two bytes each
    for protocol, encoding in ((0, "raw_unicode_escape"), (4, "utf-8")):
        found = read_back(tmp_path, pickle.dumps({"a": words * 2}, protocol))["a"]
        assert type(found) is LongText
        assert found.encoding == encoding
        assert bytes(found.encode("latin-1")) == (words * 2).encode("latin-1")


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_long_bytes_written_as_text(tmp_path, protocol):
    value = bytes(range(256)) * 9000
    assert read_back(tmp_path, pickle.dumps(value, protocol)) == value


def test_a_persistent_id_without_a_meaning_is_inert(tmp_path):
    found = read_back(tmp_path, text("somewhere") + b"Q.")
    assert type(found) is InertObject
    assert found.arguments == ("somewhere",)


def test_what_is_read_does_not_change_the_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"a": torch.zeros(1000)}))
    before = path.read_bytes()
    read_untrusted(path).content["a"].read().fill_(1.0)
    assert path.read_bytes() == before


def test_modules_of_todays_torch(tmp_path):
    layer = torch.nn.Linear(2, 3)
    found = read_back(tmp_path, pickle.dumps(layer))
    assert (found.module, found.name) == ("torch.nn.modules.linear", "Linear")
    assert torch.equal(found.state["_parameters"]["weight"].read(), layer.weight.detach())


def test_tensors_with_attributes_and_of_new_types(tmp_path):
    marked = torch.arange(3.0)
    marked.note = "kept nowhere"
    newer = torch.tensor([1, 2], dtype=torch.uint16)
    found = read_back(tmp_path, pickle.dumps({"marked": marked, "newer": newer}))
    assert torch.equal(found["marked"].read(), torch.arange(3.0))
    assert not isinstance(found["newer"], StoredTensor)  # of a type that is not read


def test_only_plain_types_of_arrays(tmp_path):
    for kind in ("S4", "U4", "O8", "M8", "V4", "f3"):
        content = array(group(number(1)), kind, raw(bytes(16))) + STOP
        with pytest.raises(UserError, match="plain numbers"):
            read_back(tmp_path, content).array()
    assert read_back(tmp_path, dtype("f8") + STOP).dtype() == np.float64
