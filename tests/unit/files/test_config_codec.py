"""Configurations travel through JSON strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

import pytest

from triptych.config import from_dict, to_dict
from triptych.errors import UserError, check_range, import_optional


@dataclass(frozen=True)
class Inner:
    """A nested configuration."""

    width: int = 3
    taps: tuple[float, ...] = (1.0, 3.0)


@dataclass(frozen=True)
class Outer:
    """Every kind of field."""

    name: str
    rate: float = 0.5
    kind: Literal["a", "b"] = "a"
    end: float | Literal["auto"] = "auto"
    pair: tuple[int, int] = (1, 2)
    inner: Inner = Inner()
    maybe: Inner | None = None
    extra: dict[str, int] = field(default_factory=dict)
    on: bool = True


def test_json_round_trip():
    config = Outer("x", rate=1.5, end=2.0, inner=Inner(7, (2.0,)), maybe=Inner(), extra={"k": 1})
    assert from_dict(Outer, json.loads(json.dumps(to_dict(config)))) == config


def test_absent_fields_take_their_defaults():
    assert from_dict(Outer, {"name": "x"}) == Outer("x")


def test_whole_numbers_are_accepted_where_numbers_are_expected():
    assert from_dict(Outer, {"name": "x", "rate": 2}).rate == 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rat": 1.0}, "unknown key 'rat' in Outer; did you mean 'rate'"),
        ({"zzz": 1}, "known keys: name, rate"),
        ({"kind": "c"}, "Outer.kind: got 'c'; expected one of 'a', 'b'"),
        ({"pair": [1]}, "Outer.pair: got 1 values; expected 2"),
        ({"pair": 3}, "expected a list"),
        ({"inner": {"widht": 1}}, "unknown key 'widht' in Inner; did you mean 'width'"),
        ({"inner": 3}, "expected an object"),
        ({"inner": None}, "a value is required|expected"),
        ({"on": 1}, "expected bool"),
        ({"pair": [True, 2]}, "expected int"),
        ({"name": 3}, "expected str"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    with pytest.raises(UserError, match=message):
        from_dict(Outer, {"name": "x", **change})


def test_a_missing_required_field_is_named():
    with pytest.raises(UserError, match="Outer is incomplete.*name"):
        from_dict(Outer, {})


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(value):
    with pytest.raises(UserError, match="share: got .*; expected a number from 0 to 1"):
        check_range("share", value, 0.0, 1.0)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_numbers_in_range_are_accepted(value):
    assert check_range("share", value, 0.0, 1.0) is None


def test_a_missing_optional_package_says_how_to_get_it():
    with pytest.raises(UserError, match=r'pip install "triptych\[photo\]"'):
        import_optional("no_such_package_anywhere", "photo")
    assert import_optional("json", "photo") is json
