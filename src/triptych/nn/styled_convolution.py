"""The fast form of a synthesis layer: one style multiplied in, computed strip by strip.

A strip is a few rows of pixels: what a convolution makes of it is still in the processor's caches
when it is activated, and its memory is used again for the next strip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from triptych.nn.synthesis_layers import SynthesisLayer
from triptych.ops.bias_act import ACTIVATION_GAIN
from triptych.ops.parallel import in_parallel
from triptych.ops.pixel_rows import convolve_rows, new_rows, rows_array, rows_between

_VALUES_PER_STRIP = 2**21
_MOST_TAPS = 4
_UNLIMITED = 3e38
_GAIN = ACTIVATION_GAIN["lrelu"]

# Which of the taps 0..8 of a 3x3 kernel make which kernel. In a transposed convolution of stride 2
# even rows of the result take the last tap of the row before and the first of their own row, odd
# rows take the middle one; columns likewise.
_WHOLE = (np.arange(9).reshape(3, 3),)
_PHASES = tuple(
    _WHOLE[0][np.ix_(rows, columns)] for rows in ([2, 0], [1]) for columns in ([2, 0], [1])
)


@dataclass(frozen=True, eq=False)
class StyledConvolution:
    """A 3x3 convolution with noise, bias, leaky ReLU and clamp; optionally up-sampling twice.

    Style, demodulation and the activation's gain are in the weights.

    Attributes:
        kernels: One kernel [o, i, 3, 3]; or, up-sampling, four: for even and odd rows of the
            up-sampled map and even and odd columns, [o, i, 2 or 1, 2 or 1].
        taps: Four taps that smooth the up-sampled map, float32; None without up-sampling.
        bias: [o], float32.
        noise: [size, size] or, for none, [1, 1] zeros, float32.
        clamp: Limit of the results.
        size: Height and width of the result.
    """

    kernels: tuple[Tensor, ...]
    taps: np.ndarray | None
    bias: np.ndarray
    noise: np.ndarray
    clamp: np.float32
    size: int

    @classmethod
    def of(
        cls, layer: SynthesisLayer, w: Tensor, noise: Tensor | None, dtype: torch.dtype
    ) -> StyledConvolution:
        """Multiply a style into a layer.

        Args:
            layer: The layer; see `is_supported`.
            w: Style code [1, d].
            noise: Scaled noise [size, size], or None.
            dtype: Of the maps: float32 or bfloat16.
        """
        limit = layer.options.conv_clamp
        return cls.of_parts(
            layer.weight,
            layer.styles(w)[0],
            layer.bias,
            noise,
            up_kernel=layer.resample_filter if layer.up else None,
            gain=layer.gain,
            clamp=_UNLIMITED if limit is None else limit * layer.gain,
            size=layer.size,
            dtype=dtype,
        )

    @classmethod
    def of_parts(
        cls,
        weight: Tensor,
        styles: Tensor,
        bias: Tensor,
        noise: Tensor | None,
        *,
        up_kernel: Tensor | None,
        size: int,
        gain: float = 1.0,
        clamp: float = _UNLIMITED,
        dtype: torch.dtype = torch.float32,
    ) -> StyledConvolution:
        """Multiply styles into weights.

        Args:
            weight: Shared weights [o, i, 3, 3].
            styles: Scale of each input channel [i].
            bias: [o].
            noise: Scaled noise [size, size], or None.
            up_kernel: Separable kernel of two or four taps with sum 1 that smooths the up-sampled
                map; None without up-sampling.
            size: Height and width of the result.
            gain: Factor of the result beside the activation's.
            clamp: Limit of the results.
            dtype: Of the maps: float32 or bfloat16.
        """
        whole_gain = _GAIN * gain
        noise = torch.zeros(1, 1) if noise is None else noise * whole_gain
        return cls(
            _styled_kernels(weight, styles, whole_gain, up_kernel is not None, dtype),
            None if up_kernel is None else _four_taps(up_kernel),
            (bias * whole_gain).numpy(),
            noise.numpy(),
            np.float32(clamp),
            size,
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Return rows [size, size, o] from rows [h, h, i], h = size or, up-sampling, half of it."""
        out = new_rows(self.size, self.size, len(self.bias), x.dtype)
        for start, stop in self._strip_limits():
            self._fill(out[start:stop], x, start, stop)
        return out

    def strips(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the result in strips [r, size, o] that all use the same memory.

        A strip holds until the next one is asked for.
        """
        limits = self._strip_limits()
        strip = new_rows(limits[0][1], self.size, len(self.bias), x.dtype)
        for start, stop in limits:
            self._fill(strip[: stop - start], x, start, stop)
            yield strip[: stop - start]

    def _strip_limits(self) -> list[tuple[int, int]]:
        # An even number of rows, so that strips begin with an even row.
        height = max(2, _VALUES_PER_STRIP // (self.size * len(self.bias)) // 2 * 2)
        return [(start, min(start + height, self.size)) for start in range(0, self.size, height)]

    def _fill(self, out: Tensor, x: Tensor, start: int, stop: int) -> None:
        """Compute the rows start..stop of the result into `out`."""
        if self.taps is None:
            self._fill_same_size(out, x, start, stop)
        else:
            self._fill_upsampled(out, x, start, stop)

    def _fill_same_size(self, out: Tensor, x: Tensor, start: int, stop: int) -> None:
        from triptych.ops.activation_kernels import activate_rows

        convolved = convolve_rows(rows_between(x, start - 1, stop + 1), self.kernels[0], 1)
        values, results = rows_array(convolved), rows_array(out)
        noise = self.noise if self.noise.shape[0] == 1 else self.noise[start:stop]

        def work(first: int, last: int) -> None:
            activate_rows(first, last, values, self.bias, noise, self.clamp, results)

        _evenly(work, stop - start)

    def _fill_upsampled(self, out: Tensor, x: Tensor, start: int, stop: int) -> None:
        from triptych.ops.activation_kernels import smooth_rows

        # Smoothing reaches from the row before the strip to two rows behind it; halved, and with
        # the row before each even row, that is
        first, last = start // 2 - 1, stop // 2
        for_even = rows_between(x, first - 1, last + 1)
        for_odd = for_even[1:]
        even_even, even_odd, odd_even, odd_odd = self.kernels
        phases = (
            rows_array(convolve_rows(for_even, even_even, 1)),
            rows_array(convolve_rows(for_even, even_odd, 0)),
            rows_array(convolve_rows(for_odd, odd_even, 1)),
            rows_array(convolve_rows(for_odd, odd_odd, 0)),
        )
        results = rows_array(out)

        def work(begin: int, end: int) -> None:
            smooth_rows(
                begin,
                end,
                phases,
                first,
                self.taps,
                self.bias,
                self.noise,
                self.clamp,
                results,
                start,
            )

        _evenly(work, stop - start)


def is_supported(layer: SynthesisLayer) -> bool:
    """Say whether a layer's filter is one that the fast form knows: separable, two or four taps."""
    kernel = layer.resample_filter
    line = kernel.sum(dim=1)
    return kernel.shape[0] in (2, _MOST_TAPS) and torch.allclose(torch.outer(line, line), kernel)


def _styled_kernels(
    weight: Tensor, styles: Tensor, gain: float, up: bool, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Return kernels of weights [o, i, 3, 3], styles [i], demodulation and gain multiplied in."""
    from triptych.ops.modulation_kernels import modulate_part

    taps = _PHASES if up else _WHOLE
    shared, scale, factor = weight.flatten(2).numpy(), styles.numpy(), np.float32(gain)
    num_out, num_in, _ = shared.shape
    kernels = [new_rows(num_out, grid.size, num_in, dtype) for grid in taps]
    outputs = tuple(rows_array(kernel) for kernel in kernels)
    sources = tuple(grid.ravel() for grid in taps)

    def work(start: int, stop: int) -> None:
        modulate_part(start, stop, shared, scale, factor, sources, outputs)

    _evenly(work, num_out)
    # In memory [o, kh, kw, i], which is what "channels last" means.
    return tuple(
        kernel.unflatten(1, grid.shape).permute(0, 3, 1, 2)
        for kernel, grid in zip(kernels, taps, strict=True)
    )


def _four_taps(kernel: Tensor) -> np.ndarray:
    """Return taps [4] that keep the brightness of an up-sampled map."""
    line = 2 * kernel.sum(dim=1)
    missing = (_MOST_TAPS - len(line)) // 2
    return F.pad(line, (missing, missing)).numpy()


def _evenly(work: Callable[[int, int], None], count: int) -> None:
    """Give every thread one part, but no thread fewer than a few items."""
    in_parallel(work, count, max(4, -(-count // torch.get_num_threads())))
