"""ArcFace's IR-SE50 under the parameter names of its public weight file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional

from triptych.nn.ir_se import IR_SE50_UNITS, IR_SE50_WIDTHS, Squeeze, residual_body, stem
from triptych.nn.public_weights import load_public_tensors

INPUT_SIZE = 112
_GROUPS_HALVE_BY = 16


class ArcFace(nn.Module):
    """Aligned face crops to unit features; the cosine of two says how alike two people are.

    Args:
        widths: Channels of each group of units.
        units: Units of each group.
        features: Width of the feature.
        squeeze: The public weights were trained with "mean"; "max" is what 3DpSp computes with
            them in its identity loss.

    Reference: Deng et al., ArcFace (2019).
    """

    def __init__(
        self,
        widths: Sequence[int] = IR_SE50_WIDTHS,
        units: Sequence[int] = IR_SE50_UNITS,
        *,
        features: int = 512,
        squeeze: Squeeze = "mean",
    ) -> None:
        super().__init__()
        side = INPUT_SIZE // _GROUPS_HALVE_BY
        self.input_layer = stem(3, widths[0])
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(widths[-1] * side * side, features),
            nn.BatchNorm1d(features),
        )
        self.body = residual_body(widths, units, squeeze=squeeze)

    def forward(self, face: Tensor) -> Tensor:
        """Return unit features [b, features] of face crops [b, 3, 112, 112] in [-1, 1]."""
        return functional.normalize(self.output_layer(self.body(self.input_layer(face))), dim=1)

    def load_public(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of the public file (`model_ir_se50.pth`).

        Raises:
            UserError: A tensor is missing or has another shape.
        """
        load_public_tensors(self, state, "an IR-SE50 ArcFace")
