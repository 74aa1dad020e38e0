"""Arguments are of the types that annotations say, or one error names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from triptych.arguments import check_argument, checked
from triptych.errors import UserError, described, shown

FITS = (
    (int, [7, np.int64(7), -1]),
    (float, [7, 7.5, np.float32(7.5), float("nan")]),
    (bool, [True, False]),
    (str, ["", "7"]),
    (str | Path, ["a", Path("a")]),
    (int | None, [7, None]),
    (Literal["fast", "exact"], ["fast"]),
    (Tensor, [torch.zeros(2), torch.nn.Parameter(torch.zeros(2))]),
    (NDArray[np.uint8] | None, [np.zeros(2, np.uint8), None]),
    (tuple[float, float], [(0.0, 1), [0.0, 1.0]]),
    (tuple[int, ...], [(), (1, 2, 3)]),
    (Sequence[float], [(), [1, 2.5], np.zeros(3), torch.zeros(3), np.float32([1, 2])]),
    (Sequence[Sequence[Tensor]], [[], [[torch.zeros(1)], []]]),
    (Iterable[np.ndarray], [[], iter(())]),
    (Mapping[str, str], [{}, {"a": "b"}]),
    (Callable[[int], None], [print, lambda number: None]),
    (torch.dtype | None, [torch.float16, None]),
    (torch.device | str, ["cpu", torch.device("cpu"), "meta"]),
    (Any, [None, object()]),
)
DOES_NOT_FIT = (
    (int, [7.0, "7", True, None, [7], torch.tensor(7)], "a whole number"),
    (float, ["7", True, None, 1j, [7.0], torch.tensor(7.0)], "a number"),
    (bool, [1, "True", None], "True or False"),
    (str, [7, b"7", None, Path("a"), ["a"]], "str"),
    (str | Path, [7, None, True, b"a"], "str or Path"),
    (int | None, ["7", 7.0], "a whole number or None"),
    (Literal["fast", "exact"], ["slow", 7, None, ["fast"]], "one of fast, exact"),
    (Tensor, [np.zeros(2), [0.0], None, "x"], "Tensor"),
    (tuple[float, float], [(1.0,), (1.0, "2"), 1.0, None], "2 values, each a number"),
    (Sequence[float], ["12", b"12", 1.0, ["1"], {1.0}, np.zeros((2, 2))], "sequence, each a num"),
    (Sequence[Sequence[Tensor]], [[1], [[1]], torch.zeros(2, 2)], "each a sequence, each Tensor"),
    (Iterable[np.ndarray], [None, 7], "a sequence, each ndarray"),
    (Mapping[str, str], [None, [("a", "b")]], "a mapping"),
    (Callable[[int], None], [None, 7], "a function"),
    (torch.dtype | None, ["float16", torch.zeros(1)], "dtype or None"),
    (torch.device | str, ["7", "warp", 7, None, "cuda:99"], "device"),
)


@pytest.mark.parametrize(("hint", "values"), FITS, ids=[str(hint) for hint, _ in FITS])
def test_what_fits_passes(hint, values):
    for value in values:
        check_argument("it", value, hint)


@pytest.mark.parametrize(
    ("hint", "values", "said"), DOES_NOT_FIT, ids=[str(hint) for hint, *_ in DOES_NOT_FIT]
)
def test_what_does_not_fit_is_named_with_what_was_expected(hint, values, said):
    for value in values:
        with pytest.raises(UserError, match=f"^it: got .*; expected .*{said}") as refused:
            check_argument("it", value, hint)
        assert "\n" not in str(refused.value)


def test_nothing_is_computed_with_wrong_arguments():
    calls = []

    @checked
    def work(count: int, name: str = "a") -> int:
        calls.append(count)
        return count

    assert work(3) == work(count=3, name="b") == 3
    for wrong in ((3.0,), ("3",), (3, 4)):
        with pytest.raises(UserError):
            work(*wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nmae'"):
        work(3, nmae="b")
    assert calls == [3, 3]


def test_whatever_is_shown_is_one_short_line():
    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError

    assert (shown(7.0), shown(7), shown("7"), shown(None)) == ("7", "7", "'7'", "None")
    assert (described(7.0), described(7), described([7])) == ("7.0", "7", "a value of type list")
    assert shown(4294967296.0) == "4294967296.0"
    for value in (10**5000, "x" * 10**5, "a\n\x1b[31m", torch.zeros(100, 100), Unprintable()):
        assert len(shown(value)) <= 83
        assert shown(value).isprintable()
